# SPDX-License-Identifier: GPL-3.0-only
"""Reads processes and how the kernel confines them, from /proc (proc(5)) and by ptrace."""

from __future__ import annotations

import os

from . import tracing
from .kernelfile import read_bytes, read_text
from .wire import JSON

LONGEST_COMMAND_LINE = 4096
TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")


def exe_of(pid: int, proc: str = "/proc") -> str:
    """The executable's path; empty for a kernel thread and for a process that has gone."""
    try:
        return os.readlink(f"{proc}/{pid}/exe")
    except OSError:
        return ""


def argv_of(pid: int, proc: str = "/proc") -> list[str]:
    """The command line, cut when it is long; empty when the process has gone."""
    try:
        raw = read_bytes(f"{proc}/{pid}/cmdline")[:LONGEST_COMMAND_LINE]
    except OSError:
        return []
    return [word.decode("utf-8", "backslashreplace") for word in raw.removesuffix(b"\0").split(b"\0")]


def parent_of(pid: int, proc: str = "/proc") -> int:
    """The parent's pid; 0 when the process has gone."""
    try:
        return int(_stat(pid, proc)[1])
    except (OSError, IndexError):
        return 0


def started(pid: int) -> int:
    """When the process was forked (not when it last executed): ns of CLOCK_BOOTTIME, in whole clock ticks."""
    return int(_stat(pid)[19]) * TICK


def read_process(pid: int, main_pid: int) -> JSON | None:
    """The process and its confinement, or None when it is gone."""
    try:
        stat = _stat(pid)
        seccomp = _seccomp_mode(pid)
    except OSError:
        return None
    label, label_mode, problem = _label(pid)
    process: JSON = {
        "pid": pid,
        "ppid": int(stat[1]),
        "exe": exe_of(pid),
        "comm": _text(f"/proc/{pid}/comm"),
        "started": int(stat[19]) * TICK,
        "label": label,
        "label_mode": label_mode,
        "seccomp_mode": seccomp,
        "main": pid == main_pid,
    }
    filters, filter_problem = _filters(pid) if seccomp == 2 else ([], "")
    return {**process, "filters": filters, "problem": "; ".join(filter(None, (problem, filter_problem)))}


def pids_of(cgroup: str) -> list[int]:
    """The processes in a control group and the groups below it, by its path in systemd's hierarchy."""
    if not cgroup.strip("/"):
        return []
    top = next((t + cgroup for t in CGROUPS if os.path.exists(t + cgroup + "/cgroup.procs")), "")
    found: list[int] = []
    for directory, _, _ in os.walk(top) if top else ():
        found += _members(directory)
    return sorted(found)


def all_pids() -> list[int]:
    """Every process there is."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _members(directory: str) -> list[int]:
    try:
        return [int(line) for line in read_text(f"{directory}/cgroup.procs").split()]
    except OSError:
        return []


def _filters(pid: int) -> tuple[list[JSON], str]:
    try:
        found = tracing.read_filters(pid)
    except OSError as error:
        return [], f"cannot read seccomp filters: {error.strerror}"
    return [{"index": f.index, "sha256": f.sha256, "length": f.length} for f in found], ""


def _label(pid: int) -> tuple[str, str, str]:
    # The plain file belongs to whichever security module comes first; AppArmor's own is since Linux 5.8.
    for path in (f"/proc/{pid}/attr/apparmor/current", f"/proc/{pid}/attr/current"):
        try:
            text = _text(path)
        except OSError:
            continue
        label, opened, mode = text.rpartition(" (")
        mode, closed = mode[:-1], mode[-1:]
        has_mode = opened and closed == ")" and mode.isidentifier()
        return (label, mode, "") if has_mode else (text, "", "")
    return "", "", "cannot read the AppArmor label"


def _seccomp_mode(pid: int) -> int:
    for line in _text(f"/proc/{pid}/status").splitlines():
        if line.startswith("Seccomp:"):
            return int(line.split()[1])
    return -1


def _stat(pid: int, proc: str = "/proc") -> list[str]:
    """The fields of /proc/PID/stat from the third on; the second, the command's name, may hold anything."""
    return _text(f"{proc}/{pid}/stat").rpartition(")")[2].split()


def _text(path: str) -> str:
    return read_text(path).strip("\n\0")
