# SPDX-License-Identifier: GPL-3.0-only
"""The only door to processes: each lives inside a `with` block and never outlives the harness.

Facts that shape this module:

* PR_SET_PDEATHSIG is per *thread*: the signal comes when the thread that forked ends (prctl(2)).
  The thread that enters `spawn()` is the one that leaves it, so it outlives the child.
* PR_SET_PDEATHSIG is set by `setpriv` in the child and not by a `preexec_fn`: Python code between
  fork and exec can deadlock once the process has threads, and ours has (QMP, paramiko).
* A parent that dies between the fork and that prctl would be missed, so a shell then compares
  $PPID, and only then becomes the command. Both steps are an exec: the pid stays the same.
* A zombie keeps its pid and group id reserved. So the group is killed *before* its leader is
  reaped, and never hits a stranger that was given the same number.
* Output goes to files, never to a pipe: nobody can block on one that is not read, and a stray
  grandchild that keeps it open cannot make us wait.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

from harness.errors import CannotMeasure, TimedOut
from harness.host.deadline import Deadline
from harness.host.programs import found

Argument: TypeAlias = str | os.PathLike[str]
Stream: TypeAlias = IO[bytes] | int

DEVNULL = subprocess.DEVNULL
GRACE_SECONDS = 5.0
TAIL_LINES = 15


class CommandFailed(CannotMeasure):
    """A command ended with another status than 0, or by a signal."""

    def __init__(self, argv: Sequence[Argument], returncode: int, stderr_tail: str = "") -> None:
        tail = "".join(f"\n  | {line}" for line in stderr_tail.splitlines())
        super().__init__(f"cannot run `{_shown(argv)}`: it ended {describe_status(returncode)}{tail}")
        self.argv = tuple(os.fspath(word) for word in argv)
        self.returncode = returncode
        self.stderr_tail = stderr_tail


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended; `stdout` and `stderr` are empty when they went to a file."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes


class Child:
    """A running process, leader of its own session and process group; made by `spawn()`."""

    def __init__(self, popen: subprocess.Popen[bytes], argv: Sequence[Argument]) -> None:
        self._popen = popen
        self.argv = tuple(os.fspath(word) for word in argv)
        self.pid = popen.pid
        self._pidfd = os.pidfd_open(popen.pid)
        self._reaping = threading.Lock()

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs. Does not wait."""
        return self.exited_within(0.0)

    def wait(self, deadline: Deadline) -> int:
        """The exit status, negative for a signal.

        :raise TimedOut: it still runs at the deadline; it is not signalled.
        """
        status = self.exited_within(deadline.remaining)
        if status is None:
            raise TimedOut(f"cannot wait longer for `{_shown(self.argv)}` to end: it still runs")
        return status

    def exited_within(self, seconds: float) -> int | None:
        """The exit status, or None when it still runs after `seconds` (infinity waits for good)."""
        if self._popen.returncode is not None:
            return self._popen.returncode
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        milliseconds = None if seconds == float("inf") else seconds * 1000
        return self._finish() if poll.poll(milliseconds) else None

    def signal(self, number: int) -> None:
        """Signal the process alone; nothing happens when it has ended."""
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _finish(self) -> int:
        """Reap the leader, after killing it and what it left behind in its group."""
        with self._reaping:
            if self._popen.returncode is None:
                self._signal_group(signal.SIGKILL)
            return self._popen.wait()

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def end(self, grace: float = GRACE_SECONDS) -> None:
        """SIGTERM to the group, `grace` seconds, SIGKILL, reap; a Ctrl-C only skips the grace."""
        try:
            if self.poll() is None:
                self._signal_group(signal.SIGTERM)
                self.exited_within(grace)
        finally:
            self._finish()
            os.close(self._pidfd)


@contextmanager
def spawn(
    argv: Sequence[Argument],
    *,
    stdin: Stream = DEVNULL,
    stdout: Stream = DEVNULL,
    stderr: Stream = DEVNULL,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    grace: float = GRACE_SECONDS,
) -> Iterator[Child]:
    """A child for the life of the block: any way out ends it with its group and waits for it.

    Streams are files or descriptors, never pipes. `env` replaces the whole environment.

    :raise HostLacks: the executable is not there.
    """
    program = found(os.fspath(argv[0]), env)
    popen = subprocess.Popen(
        _bound_to_us(program, argv[1:]),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=env,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    child = Child(popen, argv)
    try:
        yield child
    finally:
        child.end(grace)


def run(
    argv: Sequence[Argument],
    *,
    check: bool = True,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,  # noqa: A002 - the name subprocess.run gives it
    timeout: float | None = None,
    output: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Completed:
    """Run a command to its end; with `output`, both its streams are appended to that file.

    `timeout` is in seconds. `env` replaces the whole environment.

    :raise CommandFailed: it failed, and `check` is true.
    :raise HostLacks: the executable is not there.
    :raise TimedOut: it ran longer than `timeout`; it has been killed.
    """
    deadline = Deadline.never() if timeout is None else Deadline.after(timeout)
    with ExitStack() as stack:
        stdin = stack.enter_context(_memory("stdin"))
        stdin.write(input or b"")
        stdin.seek(0)
        stdout = stack.enter_context(_memory("stdout") if output is None else output.open("ab"))
        stderr = stack.enter_context(_memory("stderr")) if output is None else stdout
        child = stack.enter_context(
            spawn(argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=env, pass_fds=pass_fds)
        )
        returncode = child.wait(deadline)
        captured = (b"", b"") if output is not None else (_content(stdout), _content(stderr))
    completed = Completed(child.argv, returncode, *captured)
    if check and returncode != 0:
        raise CommandFailed(argv, returncode, file_tail(output) if output else tail(captured[1]))
    return completed


def describe_status(returncode: int) -> str:
    """`with status 3` or `by signal SIGKILL`."""
    if returncode >= 0:
        return f"with status {returncode}"
    try:
        return f"by signal {signal.Signals(-returncode).name}"
    except ValueError:
        return f"by signal {-returncode}"


def tail(text: bytes, lines: int = TAIL_LINES) -> str:
    """The last lines of a program's output, as text a human can read."""
    return "\n".join(text.decode("utf-8", "replace").rstrip().splitlines()[-lines:])


def file_tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a file, reading at most its last 64 KiB; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65536))
            return tail(file.read(), lines)
    except FileNotFoundError:
        return ""


def _bound_to_us(program: str, arguments: Sequence[Argument]) -> list[str]:
    still_ours = '[ "$PPID" = "$1" ] && shift && exec "$@"'
    return [
        found("setpriv"), "--pdeathsig", "KILL", "--",
        "/bin/sh", "-c", still_ours, "sh", str(os.getpid()),
        program, *(os.fspath(argument) for argument in arguments),
    ]  # fmt: skip


def _memory(name: str) -> IO[bytes]:
    return os.fdopen(os.memfd_create(name), "w+b")


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _shown(argv: Sequence[Argument]) -> str:
    return shlex.join(os.fspath(word) for word in argv)
