# SPDX-License-Identifier: GPL-3.0-only
"""Reads how the kernel confines a service that has just been executed: a `started` (WIRE.md)."""

from __future__ import annotations

import os

from . import mountns, processes, profiles
from .kernelfile import read_text
from .sha256 import hex_of
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Mounts that come and go there are the system's; no snap can have a layout there (snapd's snap/validate.go).
OF_THE_SYSTEM = ("/run/", "/var/lib/snapd/hostfs/")
BPF_MAPS = "/sys/fs/bpf/snap"
# What changes from boot to boot in a line of proc_pid_mountinfo(5): the mount's and its parent's id, the
# device, the numbers of peer groups, of loop devices, and the inodes of mounted namespaces.
_IDS = 3
_PEERS = ("shared:", "master:", "propagate_from:")
_LOOP = "/dev/loop"
_DIGITS = "0123456789"


def read_start(at: int, tag: str, pid: int, exe: str, now: Callable[[], int]) -> JSON:
    """How process `pid`, which executed the service `tag` at `at`, is confined."""
    mount_profile = mountns.read_mount_profile(at, tag, pid, now)
    process = processes.read_process(pid, pid)
    label = process["label"] if process else ""
    confinement = {
        "process": process and {"type": "process-seen", **process},
        "profile": profiles.read_profile(label if label.startswith("snap.") else tag),
        "mounts": mounts_digest(pid) if process else "",
        "device": device_of(pid, tag) if process else "",
        "mount_profile": mount_profile if process else None,
    }
    return {
        "type": "started",
        "at": at,
        "read_at": now(),
        "tag": tag,
        "pid": pid,
        "exe": exe,
        **confinement,
    }


def mounts_digest(pid: int, proc: str = "/proc") -> str:
    """One digest over the mounts that a process sees, without the system's own; empty when it has gone."""
    try:
        lines = read_text(f"{proc}/{pid}/mountinfo").split("\n")
    except OSError:
        return ""
    rows = (line.split(" ")[_IDS:] for line in lines)
    kept = [" ".join(map(_lasting, row)) for row in rows if row and not _is_of_the_system(row)]
    return hex_of("\n".join(sorted(kept)).encode())


def _is_of_the_system(row: list[str]) -> bool:
    return len(row) > 1 and row[1].startswith(OF_THE_SYSTEM)


def _lasting(field: str) -> str:
    """A field without the numbers that change."""
    if field.startswith(_PEERS):
        return field[: field.index(":") + 1]
    if field.startswith(_LOOP):
        return _LOOP + field[len(_LOOP) :].lstrip(_DIGITS)
    kind, opened, inode = field.partition(":[")
    return f"{kind}:[]" if opened and inode.rstrip("]").isdigit() else field


def device_of(pid: int, tag: str, proc: str = "/proc", maps: str = BPF_MAPS) -> str:
    """The device control group, or the BPF map that takes its place in version 2 (snapd 2.53 and later)."""
    for group in control_groups(pid, proc):
        _, controllers, path = group.split(":", 2)
        if "devices" in controllers.split(",") and path.startswith("/snap."):
            return path
    path = os.path.join(maps, tag.replace(".", "_"))
    return path if tag and os.path.exists(path) else ""


def unit_of(pid: int, proc: str = "/proc") -> str:
    """The unit whose control group a process is in; empty when it has gone or is in none."""
    for group in control_groups(pid, proc):
        _, controllers, path = group.split(":", 2)
        if controllers in ("", "name=systemd"):
            units = [part for part in path.split("/") if part.endswith((".service", ".scope"))]
            if units:
                return units[-1]
    return ""


def control_groups(pid: int, proc: str) -> list[str]:
    """The lines of /proc/PID/cgroup (cgroups(7)), as `NUMBER:CONTROLLERS:PATH`."""
    try:
        return [line for line in read_text(f"{proc}/{pid}/cgroup").splitlines() if line.count(":") >= 2]
    except OSError:
        return []
