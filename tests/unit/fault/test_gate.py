# SPDX-License-Identifier: GPL-3.0-only
"""The program that stands before others in the guest, with a kernel of paper and a real one."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.fault import gate as gate_module
from harness.fault.gate import ANSWER, EVENT, FAN_ALLOW, FAN_DENY, Gate
from harness.host.deadline import Deadline, monotonic, wait_until
from harness.host.process import run, spawn

PID = 1 << 30  # more than the kernel gives (PID_MAX_LIMIT)


class PaperKernel:
    """libc's two calls, the questions that are asked, and the answers that came."""

    def __init__(self) -> None:
        self.marked: list[str] = []
        self.questions, self._ask = os.pipe2(os.O_NONBLOCK)
        self.signals: list[tuple[int, int, int]] = []
        self.answers: list[int] = []

    def fanotify_init(self, *_: int) -> int:
        return self.questions

    def fanotify_mark(self, _: int, __: int, ___: object, ____: int, path: bytes) -> int:
        self.marked.append(path.decode())
        return 0

    def ask(self, times: int = 1) -> None:
        for _ in range(times):
            file = os.open("/dev/null", os.O_RDONLY)
            os.write(self._ask, EVENT.pack(EVENT.size, 3, 0, EVENT.size, 0x40000, file, PID))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> PaperKernel:
    paper = PaperKernel()
    monkeypatch.setattr(gate_module.ctypes, "CDLL", lambda *_, **__: paper)
    write = os.write

    def answered(descriptor: int, raw: bytes) -> int:
        if descriptor != paper.questions:
            return write(descriptor, raw)
        paper.answers.append(ANSWER.unpack(raw)[1])
        return len(raw)

    monkeypatch.setattr(gate_module.os, "write", answered)
    monkeypatch.setattr(
        gate_module.os, "kill", lambda pid, which: paper.signals.append((pid, which, len(paper.answers)))
    )
    return paper


def test_it_stands_before_what_is_there_each_time_that_it_looks(kernel: PaperKernel, tmp_path: Path) -> None:
    gate = Gate("slow", 1.0, [f"{tmp_path}/*/parser"])
    assert gate.mark() == 0
    (tmp_path / "a").mkdir()
    (tmp_path / "a/parser").touch()
    assert gate.mark() == 1
    assert kernel.marked == [f"{tmp_path}/a/parser"]


def test_it_refuses_at_once(kernel: PaperKernel) -> None:
    gate = Gate("failing", 0.0, [])
    kernel.ask()
    gate.read()
    assert (kernel.answers, kernel.signals, gate.passed) == ([FAN_DENY], [], 1)
    assert gate.let_pass() is None


def test_what_is_to_die_is_stopped_before_the_answer(kernel: PaperKernel) -> None:
    gate = Gate("dying", 0.0, [])
    kernel.ask()
    gate.read()
    assert kernel.signals == [(PID, signal.SIGSTOP, 0)]
    assert (kernel.answers, gate.passed) == ([FAN_ALLOW], 0)
    assert gate.let_pass() is None, "it is gone"


def test_it_answers_late(kernel: PaperKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(gate_module, "monotonic", lambda: now[0])
    gate = Gate("slow", 2.0, [])
    kernel.ask()
    gate.read()
    now[0] += 1.5
    kernel.ask(2)
    gate.read()
    assert gate.let_pass() == pytest.approx(501)
    assert kernel.answers == []
    now[0] += 0.5
    assert gate.let_pass() == pytest.approx(1501)
    assert kernel.answers == [FAN_ALLOW]
    now[0] += 1.5
    assert gate.let_pass() is None
    assert kernel.answers == [FAN_ALLOW] * 3
    assert gate.passed == 3


def test_nothing_asked_is_nothing_read(kernel: PaperKernel) -> None:
    gate = Gate("slow", 2.0, [])
    gate.read()
    assert (gate.passed, kernel.answers) == (0, [])


def test_a_kernel_that_cannot_is_told(kernel: PaperKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "fanotify_mark", lambda *_: -1)
    gate = Gate("slow", 2.0, ["/proc/self/exe"])
    with pytest.raises(OSError, match="Errno"):
        gate.mark()


def test_the_layouts_are_the_kernels() -> None:
    assert (EVENT.size, ANSWER.size) == (24, 8)
    assert struct.calcsize("<i") == 4


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="standing before programs needs root")


@contextmanager
def standing_before(program: Path, how: str, seconds: float, given: str = "") -> Iterator[Path]:
    """The gate before a program, as in the guest, with this machine's kernel; its directory."""
    directory = program.parent / how
    directory.mkdir()
    words = [directory, how, str(seconds), given, program]
    argv = [sys.executable, "-I", "-S", "-B", gate_module.__file__, *words]
    with spawn([str(word) for word in argv]) as child:
        there = directory / "passed"
        wait_until(lambda: there.exists() or child.poll() is not None, Deadline.after(60), what="the gate")
        assert there.exists(), "the kernel cannot, or may not, ask"
        yield directory


def carried_out(program: Path) -> tuple[int, float]:
    """The status that a shell sees, and the seconds that it took."""
    began = monotonic()
    status = run(["sh", "-c", f"{program} 2>/dev/null; echo $?"]).stdout
    return int(status), monotonic() - began


@needs_root
@pytest.mark.parametrize(
    ("how", "seconds", "status"), [("failing", 0.0, 126), ("dying", 0.0, 137), ("slow", 0.5, 0)]
)
def test_a_real_kernel_asks_until_it_is_gone(how: str, seconds: float, status: int, tmp_path: Path) -> None:
    program = Path(shutil.copy("/bin/true", tmp_path / "program"))
    before = hashlib.sha256(program.read_bytes()).digest()
    with standing_before(program, how, seconds) as directory:
        ended, took = carried_out(program)
        wait_until(
            lambda: (directory / "passed").read_text() == "1\n", Deadline.after(30), what="it to be counted"
        )
    assert ended == status
    assert took >= seconds
    assert carried_out(program)[0] == 0
    assert hashlib.sha256(program.read_bytes()).digest() == before


@needs_root
def test_it_strikes_only_what_is_given_the_argument(tmp_path: Path) -> None:
    program = Path(shutil.copy("/bin/echo", tmp_path / "program"))
    with standing_before(program, "dying", 0.0, "compile") as directory:
        said = [
            run(["sh", "-c", f"{program} {words} 2>/dev/null; echo $?"]).stdout.decode().split()
            for words in ("version-info", "compile it", "compiles")
        ]
        wait_until(
            lambda: (directory / "passed").read_text() == "1\n", Deadline.after(30), what="it to be counted"
        )
    assert said == [["version-info", "0"], ["137"], ["compiles", "0"]]


@needs_root
def test_who_waits_goes_on_when_it_is_gone(tmp_path: Path) -> None:
    program = Path(shutil.copy("/bin/true", tmp_path / "program"))
    with spawn(["sh", "-c", f"until test -e {tmp_path}/go; do sleep 0.05; done; {program}"]) as waiting:
        with standing_before(program, "slow", 3600.0) as directory:
            (tmp_path / "go").touch()
            wait_until(
                lambda: (directory / "passed").read_text() == "1\n", Deadline.after(30), what="the question"
            )
            assert waiting.poll() is None
        assert waiting.wait(Deadline.after(30)) == 0
