# SPDX-License-Identifier: GPL-3.0-only
"""The policy that snapd makes of a snap: seccomp, AppArmor and mount profiles."""

import glob
import os
import subprocess
import sys
from collections import namedtuple

import era
import place
import profile_text
import store

PROFILES = f"{era.VAR}/apparmor/profiles"
CACHE = "/var/cache/apparmor"
MOUNTS = f"{era.VAR}/mount"
_HEAD = "profile {name} flags=(attach_disconnected,mediate_deleted) {{\n"
_UPDATE_NS = "  capability,\n  mount,\n  umount,\n  /{,**} mrwkix,\n  ptrace,\n  signal,\n"


Job = namedtuple("Job", "table connections snap meta")
"""One snap for one backend: by which release, and with which plugs connected."""


def make(table, state, snap, revision):
    """Everything for one revision of a snap; raises OSError and CalledProcessError."""
    for backend in BACKENDS.values():
        backend(Job(table, state.connections, snap, store.meta(snap, revision)))
    place.point(table)


def remake(table, state, snaps, backends):
    """These backends for these snaps, one after the other; what fails is told, and the rest goes on."""
    for snap, revision in snaps:
        for name in backends:
            try:
                BACKENDS[name](Job(table, state.connections, snap, store.meta(snap, revision)))
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"replica: cannot make {name} policy of {snap}: {error}", file=sys.stderr)
    place.point(table)


def remove(table, snap):
    """What there is for a snap, of this release's kinds."""
    for pattern in (
        f"{place.for_writing(table)}/snap.{snap}.*",
        f"{PROFILES}/snap.{snap}.*",
        f"{PROFILES}/snap-update-ns.{snap}",
        f"{MOUNTS}/snap.{snap}.fstab",
    ):
        for path in glob.glob(pattern):
            os.unlink(path)


# -- seccomp


def seccomp_text(table, connections, meta, app):
    """The rules of one app: the template's, then its slots', then those of its connected plugs."""
    head = [f"{profile_text.SYNTAX}{table.seccomp.syntax}"] if table.seccomp.syntax else []
    given = [rule for side in sides(connections, meta, app) for rule in table.seccomp.rules.get(side, ())]
    return "".join(f"{line}\n" for line in (*head, *table.seccomp.template, *given))


def sides(connections, meta, app):
    """`slot INTERFACE` and `plug INTERFACE` for what an app has: slots as they are, plugs when connected."""
    slots = [f"slot {meta['slots'][name]}" for name in app.get("slots") or ()]
    plugs = app.get("plugs") or ()
    connected = [name for name in plugs if f"{meta['name']}:{name}" in connections]
    return [*slots, *(f"plug {meta['plugs'][name]}" for name in connected)]


def _seccomp(job):
    table, snap, meta = job.table, job.snap, job.meta
    directory = place.for_writing(table)
    # These releases take away all that was compiled, and compile all of it again.
    for path in glob.glob(f"{directory}/snap.{snap}.*.bin"):
        os.unlink(path)
    for name, app in meta["apps"].items():
        path = f"{directory}/snap.{snap}.{name}"
        text = seccomp_text(table, job.connections, meta, app)
        if table.seccomp.form == "text":
            era.write(path, text)
        else:
            era.write(f"{path}.src", text)
            subprocess.run([era.tool("snap-seccomp"), "compile", f"{path}.src", f"{path}.bin"], check=True)


# -- AppArmor


def apparmor_text(table, meta, name):
    """The profile of one app."""
    rules = (rule.replace("@SNAP@", meta["name"]) for rule in table.apparmor.rules)
    body = "".join(f"  {rule}\n" for rule in rules)
    head = _HEAD.format(name=f"snap.{meta['name']}.{name}")
    return f"{head}{body}}}\n"


def _apparmor(job):
    table, snap, meta = job.table, job.snap, job.meta
    texts = {f"snap.{snap}.{name}": apparmor_text(table, meta, name) for name in meta["apps"]}
    if table.apparmor.confines_update_ns:
        name = f"snap-update-ns.{snap}"
        texts[name] = f"{_HEAD.format(name=name)}{_UPDATE_NS}}}\n"
    for name, text in texts.items():
        era.write(f"{PROFILES}/{name}", text)
    load([f"{PROFILES}/{name}" for name in texts])


def load(paths, cache=CACHE):
    """Compile profiles and give them to the kernel, where it has AppArmor."""
    if not os.path.isdir("/sys/kernel/security/apparmor"):
        return
    how = ["--replace", "--write-cache", "-O", "no-expr-simplify", f"--cache-loc={cache}", "--quiet"]
    subprocess.run(["apparmor_parser", *how, *paths], check=True)


# -- mount


def mount_text(meta):
    """A snap's layout, as bind mounts.

    Snaps of 2017 were built for the places they ran in. Debian's programs are not, so a replica gives them
    their layouts at any release, in the only kind of line that all releases read.
    """
    name = meta["name"]
    places = {
        "$SNAP_COMMON": f"/var/snap/{name}/common",
        "$SNAP_DATA": f"/var/snap/{name}/current",
        "$SNAP": f"{era.SNAPS}/{name}/current",
    }
    lines = []
    for target, how in sorted(meta["layout"].items()):
        source = how.get("bind", "")
        for variable, directory in places.items():
            source = source.replace(variable, directory)
        if source:
            lines.append(f"{source} {target} none bind,rw 0 0\n")
    return "".join(lines)


def _mount(job):
    text = mount_text(job.meta)
    path = f"{MOUNTS}/snap.{job.snap}.fstab"
    if text:
        era.write(path, text)
        for line in text.splitlines():
            os.makedirs(line.split()[0], exist_ok=True)
    elif os.path.exists(path):
        os.unlink(path)


BACKENDS = {"seccomp": _seccomp, "apparmor": _apparmor, "mount": _mount}
