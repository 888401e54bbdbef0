# SPDX-License-Identifier: GPL-3.0-only
"""Seccomp programs read back from a real process; as root only, like the kernel wants it."""

from __future__ import annotations

import hashlib
import os
import runpy
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pytest

from harness.host.deadline import Deadline, wait_until
from harness.host.process import Child, spawn
from harness.probe import processes, tracing

PROGRAM = Path(__file__).with_name("filtered_child.py")
LOADED: tuple[bytes, ...] = runpy.run_path(str(PROGRAM))["PROGRAMS"]
NO_PROCESS = 2**22 + 1  # above the kernel's highest PID_MAX_LIMIT

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="reading seccomp programs needs root")


class Confined:
    """The child and the pipes to it."""

    def __init__(self, child: Child, to: BinaryIO, of: BinaryIO) -> None:
        self.pid = child.pid
        self.signal = child.signal
        self._to = to
        self._of = of

    def hear(self) -> bytes:
        return self._of.readline()

    def echoes(self) -> bool:
        self._to.write(b"still here\n")
        self._to.flush()
        return self.hear() == b"still here\n"


@pytest.fixture
def child() -> Iterator[Confined]:
    with ExitStack() as stack:
        of, its_stdout = pipe(stack)
        its_stdin, to = pipe(stack)
        argv = [sys.executable, PROGRAM]
        process = stack.enter_context(spawn(argv, stdin=its_stdin, stdout=its_stdout))
        confined = Confined(process, to, of)
        assert confined.hear() == b"loaded\n"
        yield confined
        process.signal(signal.SIGKILL)


def pipe(stack: ExitStack) -> tuple[BinaryIO, BinaryIO]:
    reading, writing = os.pipe()
    return stack.enter_context(os.fdopen(reading, "rb")), stack.enter_context(os.fdopen(writing, "wb"))


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@needs_root
def test_the_programs_come_back_byte_for_byte_first_loaded_first(child: Confined) -> None:
    found = tracing.read_filters(child.pid)
    assert [f.sha256 for f in found] == [hashlib.sha256(p).hexdigest() for p in LOADED]
    assert [(f.index, f.length) for f in found] == [(0, 2), (1, 4)]
    assert child.echoes()


@needs_root
def test_a_process_is_read_with_its_programs(child: Confined) -> None:
    seen = processes.read_process(child.pid, child.pid)
    assert seen is not None
    assert (seen["seccomp_mode"], len(seen["filters"]), seen["main"]) == (2, 2, True)
    assert seen["ppid"] == os.getpid()
    assert seen["exe"] == os.path.realpath(sys.executable)


@needs_root
def test_a_process_that_was_stopped_stays_so_and_is_not_let_loose(child: Confined) -> None:
    child.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert len(tracing.read_filters(child.pid)) == 2
    wait_until(lambda: state(child.pid) == "T", Deadline.after(10), what="the child to be stopped again")
    child.signal(signal.SIGCONT)
    assert child.echoes()


def test_a_process_that_is_not_there_is_an_error_not_a_wait() -> None:
    with pytest.raises(ProcessLookupError):
        tracing.read_filters(NO_PROCESS)
    assert processes.read_process(NO_PROCESS, 0) is None
    assert processes.exe_of(NO_PROCESS) == ""
