# SPDX-License-Identifier: GPL-3.0-only
"""The mount namespace of a snap: the core as the root, and of the host what snaps share.

Each process gets one of its own; none is kept for the next.
"""

import contextlib
import ctypes
import os

import words

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE, MS_RDONLY, MS_REMOUNT = 0x1000, 0x4000, 1 << 18, 1 << 19, 1, 32
PIVOT_ROOT = 155  # on x86-64
OF_THE_HOST = """
/dev /etc /home /root /proc /snap /sys /tmp /var/snap /var/lib/snapd /var/tmp /run /media /lib/modules
/usr/src /var/log
"""
HOST = "/var/lib/snapd/hostfs"
MOUNT_PROFILE = "/var/lib/snapd/mount/snap.{}.fstab"
NOTED = "/run/snapd/ns/snap.{}.fstab"

_libc = ctypes.CDLL(None, use_errno=True)


def _call(what, done):
    if done != 0:
        words.die(f"replica: cannot {what}", ctypes.get_errno())


def _mount(source, target, flags):
    given = (source.encode() if source else None, target.encode(), None, ctypes.c_ulong(flags), None)
    _call(f"mount {source or ''} on {target}", _libc.mount(*given))


def bind(source, target, read_only=False):
    """Mount a directory or file a second time."""
    _mount(source, target, MS_BIND | MS_REC)
    if read_only:
        _mount(None, target, MS_BIND | MS_REMOUNT | MS_RDONLY)


def enter(core):
    """Make the core at `core` the root of this process."""
    _call("leave the mount namespace", _libc.unshare(CLONE_NEWNS))
    _mount(None, "/", MS_REC | MS_SLAVE)
    root = f"/tmp/snap.rootfs_{os.getpid()}"
    os.makedirs(root, 0o700, exist_ok=True)
    bind(core, root)
    for path in OF_THE_HOST.split():
        if os.path.isdir(path) and os.path.isdir(root + path) and not os.path.islink(root + path):
            bind(path, root + path)
    os.makedirs(root + HOST, exist_ok=True)
    os.chdir(root)
    _call("change the root", _libc.syscall(PIVOT_ROOT, b".", f".{HOST}".encode()))
    os.chdir("/")
    # Where the root was put together: it stays in the host's /tmp as an empty directory otherwise.
    with contextlib.suppress(OSError):
        os.rmdir(HOST + root)


def entries(snap):
    """The lines of a snap's mount profile (fstab(5)), split."""
    try:
        with open(MOUNT_PROFILE.format(snap), encoding="utf-8") as file:
            return [line.split() for line in file if line.strip() and not line.startswith("#")]
    except FileNotFoundError:
        return []


def mount_profile(snap, note, cannot_note="cannot open current mount profile"):
    """Mount what the profile lists, and `note` it; dies with the words `cannot_note` when it may not."""
    found = entries(snap)
    with _noted(snap, cannot_note) if note and found else contextlib.nullcontext() as noted:
        for entry in found:
            source, target, kind, options, *_ = entry
            # The only kind of line that every reader since 2.23 takes.
            if kind != "none" or "bind" not in options.split(","):
                words.die("replica: only bind mounts are supported in mount profiles")
            bind(source, target, "ro" in options.split(","))
            if noted:
                noted.write(" ".join(entry) + "\n")


def _noted(snap, cannot_note):
    """The current mount profile, open before anything is mounted."""
    path = NOTED.format(snap)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        words.die(f"{cannot_note}: {path}", error.errno)
