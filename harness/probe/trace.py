# SPDX-License-Identifier: GPL-3.0-only
"""The kernel's trace: programs executed, processes forked, seccomp filters installed.

The kernel keeps what happens in a buffer for each CPU, from its own start when its command line says so
(Documentation/trace/events.rst, "Boot option"), so that nothing is lost while the witness is busy, or before
it runs. The file system is attached nowhere: the guest's table of mounts stays as it is.
"""

from __future__ import annotations

import ctypes
import os

from .ringbuffer import PAGE_SIZE, open_buffers, read_page
from .wire import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The same numbers on every architecture (include/uapi/asm-generic/unistd.h).
FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432
FSCONFIG_CMD_CREATE = 6
CLOEXEC = 1

CLOCK = "boot"
EXEC, FORK = "sched/sched_process_exec", "sched/sched_process_fork"
FILTER = "revert_safety/filter_installed"
# prctl(2) and seccomp(2) both end in do_seccomp (kernel/seccomp.c). When it returns, the operation is done;
# libseccomp asks the kernel what it knows by calls that fail.
FILTER_PROBE = f"r:{FILTER} do_seccomp op=$arg1:u32 ret=$retval:s64"
SECCOMP_SET_MODE_FILTER = 1
MOST_ROUNDS = 64


class Executed:
    """A process executed a program; `path` is what was given to execve(2)."""

    def __init__(self, at: int, pid: int, path: str) -> None:
        self.at = at
        self.pid = pid
        self.path = path


class Forked:
    """A thread made a thread or a process."""

    def __init__(self, at: int, pid: int, child: int) -> None:
        self.at = at
        self.pid = pid
        self.child = child


class FilterInstalled:
    """A thread gave itself a seccomp filter."""

    def __init__(self, at: int, pid: int) -> None:
        self.at = at
        self.pid = pid


Event = Executed | Forked | FilterInstalled


class Trace:
    """The trace below `top`, a mounted tracefs. Raises OSError when there is none to be had.

    `execs_since` and `filters_since` are when recording began; None: it did not.
    """

    def __init__(self, top: str, now: Callable[[], int], *, from_start: bool) -> None:
        self._top = top
        self._now = now
        is_kept = from_start and f"[{CLOCK}]" in self._read("trace_clock") and self._is_on(EXEC)
        if not is_kept:
            self._write("trace_clock", CLOCK)  # which empties the buffer
        # Without it a reader is woken when half of a buffer is full.
        self._write("buffer_percent", "0")
        self._kinds: dict[int, Callable[[int, bytes], Event]] = {}
        self._switch_on(EXEC, _executed)
        self._switch_on(FORK, _forked)
        self.execs_since = 0 if is_kept else now()
        self.filters_since = self._probe_filters()
        self.descriptors = open_buffers(top)

    def read(self) -> tuple[list[Event], bool]:
        """What has happened since, in order of time, and whether some of it is lost.

        The buffers are read until one round finds nothing: then whatever happened before something that
        was read, on whichever CPU, was read too.
        """
        found: list[Event] = []
        missed = False
        for _ in range(MOST_ROUNDS):
            pages = [page for descriptor in self.descriptors if (page := _page(descriptor))]
            if not pages:
                break
            for page in pages:
                records, lost = read_page(page)
                missed = missed or lost
                for at, raw in records:
                    make = self._kinds.get(int.from_bytes(raw[:2], "little"))
                    if make:
                        found.append(make(at, raw))
        found.sort(key=_time)
        return found, missed

    def _switch_on(
        self, event: str, make: Callable[[dict[str, slice]], Callable[[int, bytes], Event]]
    ) -> None:
        fields = dict(_fields(self._read(f"events/{event}/format")))
        self._kinds[int(self._read(f"events/{event}/id"))] = make(fields)
        self._write(f"events/{event}/enable", "1")

    def _probe_filters(self) -> int | None:
        try:
            if not os.path.isdir(f"{self._top}/events/{FILTER}"):
                self._write("kprobe_events", FILTER_PROBE, os.O_APPEND)
            self._write(f"events/{FILTER}/filter", f"op == {SECCOMP_SET_MODE_FILTER} && ret >= 0")
            self._switch_on(FILTER, _installed)
        except OSError:
            return None  # a kernel without kprobes, or older than 6.9
        return self._now()

    def _is_on(self, event: str) -> bool:
        return self._read(f"events/{event}/enable").startswith("1")

    def _read(self, name: str) -> str:
        with open(f"{self._top}/{name}", encoding="utf-8", errors="backslashreplace") as file:
            return file.read()

    def _write(self, name: str, text: str, flags: int = 0) -> None:
        descriptor = os.open(f"{self._top}/{name}", os.O_WRONLY | os.O_CLOEXEC | flags)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def mount() -> str:
    """A tracefs of our own, as a path that lives as long as this process. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> int:
        answer = int(libc.syscall(number, *arguments))
        if answer < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return answer

    context = call(FSOPEN, b"tracefs", CLOEXEC)
    try:
        call(FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0)
        return f"/proc/self/fd/{call(FSMOUNT, context, CLOEXEC, 0)}"
    finally:
        os.close(context)


def is_from_start(cmdline: str = "/proc/cmdline") -> bool:
    """Whether the kernel was told to record programs from its start."""
    with open(cmdline, encoding="utf-8", errors="backslashreplace") as file:
        words = file.read().split()
    events = [word.partition("=")[2].split(",") for word in words if word.startswith("trace_event=")]
    wanted = {event.replace("/", ":") for event in (EXEC, FORK)}
    return wanted <= {event for listed in events for event in listed}


def _fields(text: str) -> Iterator[tuple[str, slice]]:
    """Where each field of an event lies, from lines like `field:pid_t pid;	offset:12;	size:4;	signed:1;`."""
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(";")]
        if len(parts) > 2 and parts[0].startswith("field:"):
            name = parts[0].split()[-1].partition("[")[0]
            start = int(parts[1].removeprefix("offset:"))
            yield name, slice(start, start + int(parts[2].removeprefix("size:")))


def _time(event: Event) -> int:
    return event.at


def _page(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, PAGE_SIZE)
    except BlockingIOError:
        return b""


def _number(raw: bytes, where: slice) -> int:
    return int.from_bytes(raw[where], "little", signed=True)


def _executed(fields: dict[str, slice]) -> Callable[[int, bytes], Event]:
    name, pid = fields["filename"], fields["pid"]

    def make(at: int, raw: bytes) -> Event:
        # __data_loc: where the text lies, and how long it is, in 16 bits each.
        place = int.from_bytes(raw[name], "little")
        start, size = place & 0xFFFF, place >> 16
        path = raw[start : start + size].partition(b"\0")[0]
        return Executed(at, _number(raw, pid), path.decode("utf-8", "backslashreplace"))

    return make


def _forked(fields: dict[str, slice]) -> Callable[[int, bytes], Event]:
    parent, child = fields["parent_pid"], fields["child_pid"]
    return lambda at, raw: Forked(at, _number(raw, parent), _number(raw, child))


def _installed(fields: dict[str, slice]) -> Callable[[int, bytes], Event]:
    thread = fields["common_pid"]
    return lambda at, raw: FilterInstalled(at, _number(raw, thread))
