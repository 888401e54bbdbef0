# SPDX-License-Identifier: GPL-3.0-only
"""Facts of the host, read from a made-up /proc and from the real one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.host.facts import (
    CpuTimes,
    read_boot_id,
    read_cpu_times,
    read_host_facts,
    read_oom_kills,
    read_resident_memory,
)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "stat").write_text("cpu  10 0 10 60 0 0 0 20 5 0\ncpu0 1 1 1 1\n")
    (tmp_path / "meminfo").write_text("MemTotal:  4096000 kB\nMemAvailable: 2048000 kB\n")
    (tmp_path / "cpuinfo").write_text("model name\t: First: X\nmodel name\t: Second\n")
    (tmp_path / "vmstat").write_text("nr_free_pages 7\noom_kill 3\n")
    (tmp_path / "7").mkdir()
    (tmp_path / "7/status").write_text("Name:\tqemu\nVmHWM:\t  900 kB\nVmRSS:\t  800 kB\n")
    (tmp_path / "8").mkdir()
    (tmp_path / "8/status").write_text("Name:\tzombie\nState:\tZ (zombie)\n")
    return tmp_path


def test_memory_and_cpu(proc: Path) -> None:
    facts = read_host_facts(proc)
    assert (facts.memory_mib, facts.available_mib, facts.cpu) == (4000, 2000, "First: X")


def test_guest_time_is_not_counted_twice(proc: Path) -> None:
    assert read_cpu_times(proc) == CpuTimes(total=100, steal=20)


def test_steal_is_a_share_of_the_time_between() -> None:
    assert CpuTimes(300, 120).steal_share_since(CpuTimes(100, 20)) == 0.5
    assert CpuTimes(100, 20).steal_share_since(CpuTimes(100, 20)) == 0


def test_resident_memory_of_the_living_the_dead_and_the_gone(proc: Path) -> None:
    memory = read_resident_memory(7, proc)
    assert memory is not None
    assert (memory.now_kib, memory.peak_kib) == (800, 900)
    assert read_resident_memory(8, proc) is None
    assert read_resident_memory(9, proc) is None


def test_out_of_memory_kills(proc: Path) -> None:
    assert read_oom_kills(proc) == 3


def test_the_real_host() -> None:
    assert read_host_facts().cpus >= 1
    assert read_cpu_times().total > 0
    assert len(read_boot_id()) == 36
    assert read_oom_kills() >= 0
    memory = read_resident_memory(os.getpid())
    assert memory is not None
    assert memory.peak_kib >= memory.now_kib > 1000
