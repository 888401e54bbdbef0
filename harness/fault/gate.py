# SPDX-License-Identifier: GPL-3.0-only
"""Runs in the guest: stands before programs, and lets each execution of them pass late, not at all, or dead.

``gate.py DIRECTORY slow|failing|dying SECONDS GIVEN GLOB…``. The kernel asks before it executes one of the
files (fanotify(7), FAN_OPEN_EXEC_PERM, Linux 5.0 and later), and goes on as if nothing had been asked when
this process has ended. Nothing on any disk is changed. Files that are mounted later are found when they are.

A program that is to die is sent SIGSTOP while the kernel waits for an answer, which stops it before its first
instruction: SIGKILL after the answer may come too late, and before it there is no execution. By then its
arguments are its own and can be read; with GIVEN, which may be empty, it dies if that is one of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
import os
import select
import signal
import struct
import sys
from time import monotonic

FAN_CLASS_CONTENT, FAN_CLOEXEC, FAN_NONBLOCK = 0x4, 0x1, 0x2
FAN_MARK_ADD, FAN_OPEN_EXEC_PERM = 0x1, 0x40000
FAN_ALLOW, FAN_DENY = 1, 2
STOPPED = "T"  # proc_pid_stat(5)
LOOK_EVERY = 1.0  # milliseconds: only a parent is told that a process has stopped
AT_FDCWD = -100
EVENT = struct.Struct("<IBBHQii")
ANSWER = struct.Struct("<iI")


class Gate:
    """The kernel's questions, and our answers."""

    def __init__(self, how: str, seconds: float, patterns: list[str], given: str = "") -> None:
        self.how = how
        self.seconds = seconds
        self.given = given
        self.patterns = patterns
        self.waiting: list[tuple[float, int]] = []
        self.stopping: list[int] = []
        self.passed = 0
        self.libc = ctypes.CDLL(None, use_errno=True)
        flags = FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK
        self.descriptor = self.checked(self.libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC))

    def mark(self) -> int:
        """Stand before all files that there are now; how many."""
        paths = [path for pattern in self.patterns for path in glob.glob(pattern)]
        for path in paths:
            mask = ctypes.c_uint64(FAN_OPEN_EXEC_PERM)
            name = os.fsencode(path)
            self.checked(self.libc.fanotify_mark(self.descriptor, FAN_MARK_ADD, mask, AT_FDCWD, name))
        return len(paths)

    def read(self) -> None:
        """Take the questions that have come."""
        try:
            raw = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return
        while raw:
            length, _, _, _, _, file, pid = EVENT.unpack_from(raw)
            raw = raw[length:]
            if self.how == "dying":
                self.signal(pid, signal.SIGSTOP)
                self.stopping.append(pid)
                self.answer(file, FAN_ALLOW)
                continue
            self.passed += 1
            if self.how == "slow":
                self.waiting.append((monotonic() + self.seconds, file))
            else:
                self.answer(file, FAN_DENY)

    def let_pass(self) -> float | None:
        """Answer what has waited long enough; milliseconds until the next has, None when nothing waits."""
        self.stopping = [pid for pid in self.stopping if not self.is_told(pid)]
        now = monotonic()
        for entry in [entry for entry in self.waiting if entry[0] <= now]:
            self.waiting.remove(entry)
            self.answer(entry[1], FAN_ALLOW)
        if self.stopping:
            return LOOK_EVERY
        return 1000 * (self.waiting[0][0] - now) + 1 if self.waiting else None

    def is_told(self, pid: int) -> bool:
        """Whether a process has stopped, and was then killed or let go on; or is gone."""
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                state = stat.read().rpartition(")")[2].split()[0]
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                arguments = file.read().split(b"\0")[1:]
        except (OSError, IndexError):
            return True
        if state != STOPPED:
            return False
        dies = not self.given or os.fsencode(self.given) in arguments
        self.passed += dies
        self.signal(pid, signal.SIGKILL if dies else signal.SIGCONT)
        return True

    @staticmethod
    def signal(pid: int, which: signal.Signals) -> None:
        """Send it to a process that may be gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, which)

    def answer(self, file: int, word: int) -> None:
        """Let it pass, or not."""
        os.write(self.descriptor, ANSWER.pack(file, word))
        os.close(file)

    @staticmethod
    def checked(result: int) -> int:
        """A system call's result. Raises OSError when it is an error."""
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def main(directory: str, how: str, seconds: str, given: str, *patterns: str) -> None:
    """Stand there until killed. `directory` gets the file `passed`, with how many were struck so far."""
    gate = Gate(how, float(seconds), list(patterns), given)
    if not gate.mark():
        sys.exit("none of the programs is there")
    # poll(2) tells of new mounts so (proc_pid_mountinfo(5)).
    mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
    poll = select.poll()
    poll.register(gate.descriptor, select.POLLIN)
    poll.register(mounts, select.POLLPRI)
    count(directory, gate.passed)
    counted = gate.passed
    while True:
        patience = gate.let_pass()
        if gate.passed != counted:
            counted = gate.passed
            count(directory, counted)
        for descriptor, _ in poll.poll(patience):
            if descriptor == mounts:
                gate.mark()
            else:
                gate.read()


def count(directory: str, passed: int) -> None:
    """Write how many were struck, whole or not at all."""
    half = os.path.join(directory, "passed.half")
    with open(half, "w", encoding="ascii") as file:
        file.write(f"{passed}\n")
    os.replace(half, os.path.join(directory, "passed"))


if __name__ == "__main__":
    main(*sys.argv[1:])
