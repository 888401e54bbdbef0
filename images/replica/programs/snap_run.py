# SPDX-License-Identifier: GPL-3.0-only
"""`snap run [--shell | --command=WHICH] NAME[.APP] ARGUMENTS…`: what a unit's ExecStart is."""

import os
import time

import api
import era
import store
import system_key
import words

ROUNDS = "SNAPD_DEBUG_SYSTEM_KEY_RETRY"


def run(arguments):
    """Does not return when all goes well."""
    table = era.own()
    _await_policy(table)
    which, rest = "", list(arguments)
    while rest and rest[0].startswith("--"):
        which = "shell" if rest[0] == "--shell" else rest[0].partition("=")[2]
        rest.pop(0)
    name, rest = rest[0], rest[1:]
    snap, _, app = name.partition(".")
    try:
        revision = os.readlink(f"{era.SNAPS}/{snap}/current")
    except OSError:
        words.die(f"error: cannot find current revision for snap {snap}")
    os.environ.update(_environment(snap, revision))
    # Named before what may look like an option of Python's.
    command = [f"--command={which}"] if which else []
    tag = f"snap.{snap}.{app or snap}"
    launcher = _launcher(table)
    os.execv(launcher, [launcher, tag, "/usr/lib/snapd/snap-exec", f"{snap}.{app or snap}", *command, *rest])


def _launcher(table):
    return era.tool("snap-confine") if table.run.launcher_of_core else "/usr/lib/snapd/snap-confine"


def _environment(snap, revision):
    home = os.environ.get("HOME", "/root")
    found = {
        "SNAP": f"{era.SNAPS}/{snap}/{revision}",
        "SNAP_NAME": snap,
        "SNAP_REVISION": revision,
        "SNAP_VERSION": store.meta(snap, revision)["version"],
        "SNAP_ARCH": "amd64",
        "SNAP_DATA": f"/var/snap/{snap}/{revision}",
        "SNAP_COMMON": f"/var/snap/{snap}/common",
        "SNAP_USER_DATA": f"{home}/snap/{snap}/{revision}",
        "SNAP_USER_COMMON": f"{home}/snap/{snap}/common",
        "SNAP_LIBRARY_PATH": "/var/lib/snapd/lib/gl",
        "SNAP_REEXEC": os.environ.get("SNAP_REEXEC", ""),
    }
    for place in ("SNAP_USER_DATA", "SNAP_USER_COMMON"):
        os.makedirs(found[place], exist_ok=True)
    return found


def _await_policy(table):
    if table.run.waits == "nothing" or (table.run.waits == "system-key" and system_key.matches(table)):
        return
    rounds = int(os.environ.get(ROUNDS, table.run.rounds))
    for _ in range(rounds):
        try:
            api.ask("GET", "/v2/system-info", seconds=table.run.seconds)
            return
        except OSError:
            time.sleep(1)
    words.die("error: timeout waiting for snap system profiles to get updated")
