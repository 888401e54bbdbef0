# SPDX-License-Identifier: GPL-3.0-only
"""Reads how the kernel confines a service that has just been executed: a `started` (WIRE.md)."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable

from . import mountns, processes, profiles
from .kernelfile import read_text
from .wire import JSON

# Mounts that come and go there are the system's; no snap can have a layout there (snapd's snap/validate.go).
OF_THE_SYSTEM = ("/run/", "/var/lib/snapd/hostfs/")
BPF_MAPS = "/sys/fs/bpf/snap"
# What changes from boot to boot in a line of proc_pid_mountinfo(5): the mount's and its parent's id, the
# device, the numbers of peer groups, of loop devices, and the inodes of mounted namespaces.
_IDS = re.compile(r"^\d+ \d+ \d+:\d+ ", re.MULTILINE)
_CHANGING = re.compile(r"([ :](?:shared|master):| propagate_from:|/dev/loop|:\[(?=\d+\]))\d+")


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
        lines = _CHANGING.sub(r"\1", _IDS.sub("", read_text(f"{proc}/{pid}/mountinfo"))).splitlines()
    except OSError:
        return ""
    kept = sorted(line for line in lines if not line.partition(" ")[2].startswith(OF_THE_SYSTEM))
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


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
