# SPDX-License-Identifier: GPL-3.0-only
"""The kernel's trace, from a directory that looks like tracefs."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.probe.ringbuffer import MISSED_EVENTS, PAGE_SIZE
from harness.probe.trace import (
    EXEC,
    FILTER,
    FILTER_PROBE,
    FORK,
    Executed,
    FilterInstalled,
    Forked,
    Trace,
    is_from_start,
)

# As Linux 6.12 has them.
COMMON = """\
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

"""
FORMATS = {
    EXEC: """\
\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;
\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;
\tfield:pid_t old_pid;\toffset:16;\tsize:4;\tsigned:1;
""",
    FORK: """\
\tfield:char parent_comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t parent_pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:char child_comm[16];\toffset:28;\tsize:16;\tsigned:0;
\tfield:pid_t child_pid;\toffset:44;\tsize:4;\tsigned:1;
""",
    FILTER: """\
\tfield:unsigned long __probe_func;\toffset:8;\tsize:8;\tsigned:0;
\tfield:unsigned long __probe_ret_ip;\toffset:16;\tsize:8;\tsigned:0;
\tfield:u32 op;\toffset:24;\tsize:4;\tsigned:0;
\tfield:s64 ret;\toffset:28;\tsize:8;\tsigned:1;
""",
}
IDS = {EXEC: 303, FORK: 304, FILTER: 1630}
NOW = 77
START = 1_000_000


def executed(pid: int, path: bytes) -> bytes:
    text = path + b"\0"
    return struct.pack("<HBBiIii", IDS[EXEC], 0, 0, pid, len(text) << 16 | 20, pid, pid) + text


def forked(pid: int, child: int) -> bytes:
    return struct.pack("<HBBi16si16si", IDS[FORK], 0, 0, pid, b"a", pid, b"b", child)


def installed(pid: int) -> bytes:
    return struct.pack("<HBBiQQIq", IDS[FILTER], 0, 0, pid, 1, 2, 1, 0)


def page(*records: tuple[int, bytes], missed: bool = False) -> bytes:
    """Records with their times, on one page."""
    time, data = START, b""
    for at, payload in records:
        padded = payload + bytes(-len(payload) % 4)
        data += struct.pack("<II", (at - time) << 5, len(padded) + 4) + padded
        time = at
    return (struct.pack("<QQ", START, len(data) | (MISSED_EVENTS if missed else 0)) + data).ljust(
        PAGE_SIZE, b"\0"
    )


class Kernel:
    """A directory in tracefs's place, with two CPUs; `write` is the kernel's side of a buffer."""

    def __init__(
        self, top: Path, *, clock: str = "local [boot]", is_on: str = "1", probes: bool = True
    ) -> None:
        self.top = top
        self._put("trace_clock", clock)
        self._put("buffer_percent", "")
        for event in (EXEC, FORK, FILTER) if probes else (EXEC, FORK):
            self._put(f"events/{event}/format", f"name: x\nID: 1\nformat:\n{COMMON}{FORMATS[event]}")
            self._put(f"events/{event}/id", f"{IDS[event]}\n")
            self._put(f"events/{event}/enable", is_on)
            self._put(f"events/{event}/filter", "none")
        for cpu in (0, 1):
            (top / f"per_cpu/cpu{cpu}").mkdir(parents=True)
            os.mkfifo(top / f"per_cpu/cpu{cpu}/trace_pipe_raw")
        self._buffers: list[int] = []

    def _put(self, name: str, text: str) -> None:
        (self.top / name).parent.mkdir(parents=True, exist_ok=True)
        (self.top / name).write_text(text)

    def said(self, name: str) -> str:
        return (self.top / name).read_text()

    def trace(self, *, from_start: bool = True) -> Trace:
        trace = Trace(str(self.top), lambda: NOW, from_start=from_start)
        self._buffers = [
            os.open(self.top / f"per_cpu/cpu{cpu}/trace_pipe_raw", os.O_WRONLY | os.O_NONBLOCK)
            for cpu in (0, 1)
        ]
        self._opened = [*self._buffers, *trace.descriptors]
        return trace

    def write(self, cpu: int, raw: bytes) -> None:
        os.write(self._buffers[cpu], raw)

    def close(self) -> None:
        for descriptor in self._opened:
            os.close(descriptor)


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    made = Kernel(tmp_path)
    yield made
    made.close()


def test_events_of_all_cpus_come_in_order_of_time(kernel: Kernel) -> None:
    trace = kernel.trace()
    kernel.write(1, page((START + 5, executed(9, b"/usr/lib/snapd/snap-exec"))))
    kernel.write(0, page((START + 1, forked(1, 9)), (START + 7, installed(9))))
    events, missed = trace.read()
    assert [(type(event), vars(event)) for event in events] == [
        (Forked, {"at": START + 1, "pid": 1, "child": 9}),
        (Executed, {"at": START + 5, "pid": 9, "path": "/usr/lib/snapd/snap-exec"}),
        (FilterInstalled, {"at": START + 7, "pid": 9}),
    ]
    assert not missed
    assert trace.read() == ([], False)


def test_a_name_with_line_breaks_and_other_bytes_stays_a_name(kernel: Kernel) -> None:
    trace = kernel.trace()
    kernel.write(0, page((START, executed(9, b"/tmp/x\n<...>-1 [0] 1.0: sched_process_exec: \xff"))))
    ((event,), _) = trace.read()
    assert isinstance(event, Executed)
    assert event.path == "/tmp/x\n<...>-1 [0] 1.0: sched_process_exec: \\xff"


def test_what_was_overwritten_is_told(kernel: Kernel) -> None:
    trace = kernel.trace()
    kernel.write(0, page((START, forked(1, 2)), missed=True))
    ((event,), missed) = trace.read()
    assert (vars(event), missed) == ({"at": START, "pid": 1, "child": 2}, True)


def test_unknown_and_damaged_records_are_passed_over(kernel: Kernel) -> None:
    trace = kernel.trace()
    kernel.write(
        0, page((START, struct.pack("<Hxxi", 5, 1)), (START, b"\x2f\x01\0\0"), (START, forked(1, 2)))
    )
    events, _ = trace.read()
    assert vars(events[-1]) == {"at": START, "pid": 1, "child": 2}


def test_the_kernel_was_told_from_its_start(kernel: Kernel) -> None:
    trace = kernel.trace()
    assert (trace.execs_since, trace.filters_since) == (0, NOW)
    assert kernel.said("trace_clock") == "local [boot]"
    assert kernel.said("buffer_percent") == "0"
    assert kernel.said(f"events/{FILTER}/filter") == "op == 1 && ret >= 0"


@pytest.mark.parametrize(
    ("clock", "is_on", "from_start"),
    [("local [boot]", "0", True), ("[local] boot", "1", True), ("local [boot]", "1", False)],
)
def test_else_it_begins_now(tmp_path: Path, clock: str, is_on: str, from_start: bool) -> None:
    kernel = Kernel(tmp_path, clock=clock, is_on=is_on)
    trace = kernel.trace(from_start=from_start)
    assert trace.execs_since == NOW
    assert kernel.said("trace_clock").startswith("boot")
    assert kernel.said(f"events/{EXEC}/enable") == "1"
    kernel.close()


def test_a_kernel_without_probes_has_no_filters(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, probes=False)
    trace = kernel.trace()
    assert (trace.execs_since, trace.filters_since) == (0, None)
    kernel.close()


def test_a_probe_is_made_where_there_is_none(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, probes=False)
    (tmp_path / "kprobe_events").touch()
    assert kernel.trace().filters_since is None
    assert kernel.said("kprobe_events") == FILTER_PROBE
    kernel.close()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("quiet trace_event=sched:sched_process_exec,sched:sched_process_fork trace_clock=boot", True),
        ("trace_event=sched:sched_process_exec trace_event=sched:sched_process_fork", True),
        ("trace_event=sched:sched_process_exec", False),
        ("quiet", False),
    ],
)
def test_the_command_line_tells_whether_it_was(tmp_path: Path, words: str, answer: bool) -> None:
    (tmp_path / "cmdline").write_text(f"{words}\n")
    assert is_from_start(str(tmp_path / "cmdline")) is answer
