# SPDX-License-Identifier: GPL-3.0-only
"""What the host is and how busy it is, for the record: a time means little without it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The host when a run began."""

    kernel: str
    python: str
    cpu: str
    cpus: int
    memory_mib: int
    available_mib: int
    load: tuple[float, float, float]
    kvm_device: bool


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """The first line of /proc/stat, in clock ticks since the host's boot (proc(5)).

    Steal is time in which the hypervisor ran somebody else: no load figure shows it, and it can
    exceed half of a shared machine.
    """

    total: int
    steal: int

    def steal_share_since(self, earlier: CpuTimes) -> float:
        """The share of all CPU time that was stolen since then, 0 to 1."""
        return (self.steal - earlier.steal) / max(1, self.total - earlier.total)


def read_host_facts(proc: Path = PROC) -> HostFacts:
    memory = _colon_table(proc / "meminfo")
    return HostFacts(
        kernel=platform.release(),
        python=platform.python_version(),
        cpu=_colon_table(proc / "cpuinfo").get("model name", "unknown"),
        cpus=len(os.sched_getaffinity(0)),
        memory_mib=_mib(memory["MemTotal"]),
        available_mib=_mib(memory["MemAvailable"]),
        load=os.getloadavg(),
        kvm_device=Path("/dev/kvm").exists(),
    )


def read_cpu_times(proc: Path = PROC) -> CpuTimes:
    # user nice system idle iowait irq softirq steal guest guest_nice; user includes guest.
    ticks = [int(word) for word in (proc / "stat").read_text().splitlines()[0].split()[1:9]]
    return CpuTimes(total=sum(ticks), steal=ticks[7] if len(ticks) > 7 else 0)


def read_boot_id(proc: Path = PROC) -> str:
    """The kernel's name for the host's present boot (random(4))."""
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class ResidentMemory:
    """Memory a process holds now and at most so far, in KiB (VmRSS and VmHWM of proc(5))."""

    now_kib: int
    peak_kib: int


def read_resident_memory(pid: int, proc: Path = PROC) -> ResidentMemory | None:
    """None when the process is gone, or a zombie: those hold no memory."""
    try:
        table = _colon_table(proc / str(pid) / "status")
        return ResidentMemory(_kib(table["VmRSS"]), _kib(table["VmHWM"]))
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return None


def read_oom_kills(proc: Path = PROC) -> int:
    """How many processes the kernel killed for lack of memory since its boot (/proc/vmstat)."""
    table = dict(line.split() for line in (proc / "vmstat").read_text().splitlines())
    return int(table.get("oom_kill", 0))


def _colon_table(path: Path) -> dict[str, str]:
    """`key : value` lines; the first of a repeated key counts."""
    table: dict[str, str] = {}
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        table.setdefault(key.strip(), value.strip())
    return table


def _kib(text: str) -> int:
    return int(text.removesuffix("kB"))


def _mib(text: str) -> int:
    return _kib(text) // 1024
