# SPDX-License-Identifier: GPL-3.0-only
"""The steps that changes are made of. Each may be done again: a cut leaves one half-way."""

import os
import shutil
import subprocess

import era
import launcher_profile
import policy
import store
import units

AUTOMATIC = ("network", "network-bind")
"""Interfaces whose plugs are connected when a snap is installed."""


class CannotChange(Exception):
    """What is asked for cannot be done; says why."""


def planned(state, action, names):
    """A summary, and the steps of a change."""
    if action in ("install", "refresh"):
        return _plan_install(state, names[0])
    if action in ("connect", "disconnect"):
        snap = names[0].partition(":")[0]
        _require(state, snap)
        steps = [[action, names[0]], ["setup-profiles", snap, state.snaps[snap]["current"]]]
        return f"{action.capitalize()} {names[0]}", steps
    snap = names[0]
    _require(state, snap)
    current = state.snaps[snap]["current"]
    if action == "remove":
        steps = [["stop-services", snap, current], ["remove-snap", snap]]
        return f'Remove "{snap}" snap', steps
    sequence = state.snaps[snap]["sequence"]
    place = sequence.index(current)
    if place == 0:
        raise CannotChange(f'cannot revert "{snap}": no revision to revert to')
    return f'Revert "{snap}" snap', _switch(snap, current, sequence[place - 1])


def _require(state, snap):
    if snap not in state.snaps:
        raise CannotChange(f'snap "{snap}" is not installed')


def _plan_install(state, path):
    listed = subprocess.run(
        ["unsquashfs", "-cat", path, "meta/snap.yaml"], stdout=subprocess.PIPE, check=False
    )
    if listed.returncode != 0:
        raise CannotChange(f'cannot install "{path}": it is no snap file')
    lines = listed.stdout.decode().splitlines()
    snap = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("name:"))
    revision = state.next_revision(snap)
    current = state.snaps.get(snap, {}).get("current")
    verb = "Refresh" if current else "Install"
    steps = [["prepare-snap", snap, revision, path], ["mount-snap", snap, revision]]
    return f'{verb} "{snap}" snap', steps + _switch(snap, current, revision)


def _switch(snap, current, revision):
    if snap == "core":
        return [["link-core", revision]]
    stop = [["stop-services", snap, current]] if current else []
    return [
        *stop,
        ["auto-connect", snap, revision],
        ["setup-profiles", snap, revision],
        ["link-snap", snap, revision],
        ["start-services", snap, revision],
    ]


class Steps:
    """Carries steps out with a state, by the table of the release that runs."""

    def __init__(self, table, state):
        self._table = table
        self._state = state

    def do(self, name, *arguments):
        """One step; True when snapd must make way for that of another core."""
        return getattr(self, f"_{name.replace('-', '_')}")(*arguments)

    def _prepare_snap(self, snap, revision, path):
        target = f"{era.VAR}/snaps/{snap}_{revision}.snap"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(path, target)
        run = subprocess.run(
            ["unsquashfs", "-cat", path, "meta/snap.yaml"], stdout=subprocess.PIPE, check=True
        )
        store.keep_meta(snap, revision, run.stdout)

    def _mount_snap(self, snap, revision):
        os.makedirs(f"{era.SNAPS}/{snap}/{revision}", exist_ok=True)
        units.mount(self._table, snap, revision)

    def _auto_connect(self, snap, revision):
        for name, interface in store.meta(snap, revision)["plugs"].items():
            if interface in AUTOMATIC:
                self._connect(f"{snap}:{name}")

    def _connect(self, plug):
        if plug not in self._state.connections:
            self._state.connections.append(plug)

    def _disconnect(self, plug):
        if plug in self._state.connections:
            self._state.connections.remove(plug)

    def _setup_profiles(self, snap, revision):
        policy.make(self._table, self._state, snap, revision)

    def _link_snap(self, snap, revision):
        for directory in (revision, "common"):
            os.makedirs(f"/var/snap/{snap}/{directory}", exist_ok=True)
        _point(f"/var/snap/{snap}/current", revision)
        self._link(snap, revision)
        units.link_services(self._table, snap, revision)

    def _link_core(self, revision):
        if self._table.daemon.forgets_compiled:
            launcher_profile.forget()
        self._link("core", revision)
        # On Ubuntu Core the boot that must follow does it; here snapd is what is started anew.
        launcher_profile.load(f"{era.SNAPS}/core/{revision}")
        table = era.of_core(f"{era.SNAPS}/core/{revision}")
        if table:
            units.link_daemon(table)
        return True

    def _link(self, snap, revision):
        one = self._state.snaps.setdefault(snap, {"sequence": []})
        one["current"] = revision
        if revision not in one["sequence"]:
            one["sequence"].append(revision)
        _point(f"{era.SNAPS}/{snap}/current", revision)

    def _start_services(self, snap, revision):
        units.start_services(snap, revision)

    def _stop_services(self, snap, revision):
        units.stop_services(snap, revision)

    def _remove_snap(self, snap):
        one = self._state.snaps.pop(snap, {"sequence": []})
        plugs = [plug for plug in self._state.connections if plug.startswith(f"{snap}:")]
        for plug in plugs:
            self._disconnect(plug)
        policy.remove(self._table, snap)
        for revision in one["sequence"]:
            units.remove_services(snap, revision)
            units.unmount(snap, revision)
            store.forget(snap, revision)
        for directory in (f"{era.SNAPS}/{snap}", f"/var/snap/{snap}"):
            shutil.rmtree(directory, ignore_errors=True)


def _point(link, revision):
    os.makedirs(os.path.dirname(link), exist_ok=True)
    beside = f"{link}.new~"
    if os.path.lexists(beside):
        os.unlink(beside)
    os.symlink(revision, beside)
    os.rename(beside, link)
