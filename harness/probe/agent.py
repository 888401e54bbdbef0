# SPDX-License-Identifier: GPL-3.0-only
"""The witness's life: find its port, say hello, say when ssh is ready, answer requests for a look."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` takes `enum` along
import os
import select
import time

from .audit import open_profile_watch
from .clock import boot_id, guest_time
from .filewatch import FileWatch
from .holds import holds_of_boot
from .jsontext import written
from .kernelfile import read_text
from .marker import Marker
from .sha256 import hex_of
from .signals import UnitOpener
from .tracewatch import TraceWatch
from .watch import Slot, Watch
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .answers import Answers

SNAPD = "snapd.service"
PORT = "org.revert-safety.witness"
LONGEST_LINE = 8 << 20
LONGEST_REQUEST = 1 << 16
# sshd writes its pid file once it listens (sshd.c), which makes the file the sign that it can be reached.
SSH_MARKER = "/run/revert-safety/sshd.pid"
# The host waits for something that happens, to do its worst at that moment.
EAGER_MARKER = "/run/revert-safety/eager"
EAGER_SECONDS = 0.1


class Port:
    """Lines to the host, and from it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._received = b""

    def say(self, said: JSON) -> None:
        """Write one whole line, however little the port takes at a time."""
        line = written(said).encode() + b"\n"
        if len(line) > LONGEST_LINE:
            trouble = {"type": "trouble", "request": said.get("request", 0)}
            line = written({**trouble, "message": f"a line of {len(line)} bytes"}).encode() + b"\n"
        self.write(line)

    def write(self, raw: bytes) -> None:
        """Write all of it."""
        while raw:
            try:
                raw = raw[os.write(self.descriptor, raw) :]
            except BlockingIOError:
                select.select([], [self.descriptor], [])

    def lines(self) -> list[bytes]:
        """The lines that have come since; an endless one is dropped."""
        chunk = os.read(self.descriptor, 1 << 16)
        if not chunk:
            time.sleep(0.5)  # the host has closed its end, for which select() does not wait
        *lines, self._received = (self._received + chunk).split(b"\n")
        self._received = self._received[-LONGEST_REQUEST:]
        return [line for line in lines if line.strip()]


class Agent:
    """Says what it sees until the machine stops."""

    def __init__(
        self, port: Port, marker: Marker, slots: list[Slot], is_starting: Callable[[], bool] = lambda: False
    ) -> None:
        self._port = port
        self._marker = marker
        self._watch = Watch(port.say, slots)
        self._is_starting = is_starting
        self._answers: Answers | None = None
        self._is_ready = False

    def hello(self) -> None:
        """The first line. The empty line before it ends what a boot that was cut off left unfinished."""
        self._port.write(b"\n")
        kernel = os.uname().release
        self._port.say(
            {
                "type": "hello",
                "boot_id": boot_id(),
                "agent_sha256": own_sha256(),
                "at": guest_time(),
                "kernel": kernel,
            }
        )

    def live(self) -> None:
        """Serve for good."""
        self._note_ready()
        while True:
            if self._wait([self._port.descriptor], None):
                for line in self._port.lines():
                    self._port.say(self.answers().to(line, self._told))

    def end(self) -> None:
        """Tell of what is still to be read, when there will be no later."""
        self._port.write(b"\n")  # it may have been ended within a line
        self._watch.read_all()

    def _told(self) -> int:
        """How many lines tell of what has happened until now, with what was not read yet."""
        self._watch.read_all()
        return self._watch.told

    def answers(self) -> Answers:
        """Whoever answers requests."""
        if self._answers is None:
            from .answers import Answers  # noqa: PLC0415

            self._answers = Answers(self._pause, self._is_starting)
        return self._answers

    def _wait(self, requests: list[int], seconds: float | None) -> bool:
        """Wait for a request or the time's end, or less; tells of all else that happens meanwhile."""
        self._watch.open()
        marker = [] if self._is_ready else [self._marker.descriptor]
        watched, patience = self._watch.awaited()
        if seconds is not None:
            patience = seconds if patience is None else min(seconds, patience)
        readable = set(select.select([*requests, *marker, *watched], [], [], patience)[0])
        if not readable.isdisjoint(marker):
            self._note_ready()
        self._watch.read(readable.intersection(watched))
        return not readable.isdisjoint(requests)

    def _note_ready(self) -> None:
        if self._marker.seen():
            self._is_ready = True
            self._port.say({"type": "ready", "boot_id": boot_id(), "at": guest_time()})

    def _pause(self, seconds: float) -> None:
        """Let time pass, or none; requests stay in the port."""
        ends = time.monotonic() + seconds
        self._wait([], seconds)
        while (left := ends - time.monotonic()) > 0:
            self._wait([], left)


def own_sha256() -> str:
    """One digest over this package's files (`harness.guest.seed` computes the same)."""
    directory = os.path.dirname(os.path.abspath(__file__))
    lines = b""
    for name in sorted(name for name in os.listdir(directory) if name.endswith(".py")):
        with open(f"{directory}/{name}", "rb") as file:
            lines += f"{name} {hex_of(file.read())}\n".encode()
    return hex_of(lines)


def find_port(name: str = PORT, ports: str = "/sys/class/virtio-ports") -> str:
    """The device of the virtio-serial port, from sysfs: earlier in a boot than udev's links."""
    while True:
        try:
            for device in os.listdir(ports):
                if read_text(f"{ports}/{device}/name").strip() == name:
                    return f"/dev/{device}"
        except OSError:
            pass  # the driver is on its way
        time.sleep(0.05)


def main() -> None:
    """Run as the witness of this guest."""
    port = Port(os.open(find_port(), os.O_RDWR | os.O_CLOEXEC))
    units = UnitOpener(guest_time, holds=holds_of_boot)
    told = slots(units, is_eager=os.path.exists(EAGER_MARKER))
    agent = Agent(port, Marker(SSH_MARKER), told, lambda: units.is_on_its_way(SNAPD))
    _signal.signal(_signal.SIGTERM, _end)
    try:
        agent.hello()
        agent.live()
    except Ended:
        agent.end()


class Ended(BaseException):
    """systemd ends all processes."""


def _end(*_: object) -> None:
    raise Ended


def slots(units: UnitOpener, *, is_eager: bool = False) -> list[Slot]:
    """All sources, the most urgent first: a process that has just become a service may soon end.

    Most of what the others tell is thrown away, and in an emulated guest waking up for it costs 10 ms of CPU
    time, hundreds of times in a boot. The kernel keeps it for those who come later. What is read besides, a
    file's content or a profile's digest, is read soon after the first of several changes. From snap-confine
    on a service takes 0.3 s there to be executed. Who is eager pays for it.
    """
    most = EAGER_SECONDS if is_eager else 2.4
    soon, signals = min(most, 0.3), min(most, 1.2)
    return [
        Slot("the kernel's trace", lambda: TraceWatch(guest_time), soon=0.2, later=0.2, interval=5.0),
        Slot("AppArmor's records", lambda: open_profile_watch(guest_time), soon=soon, later=most),
        Slot("systemd's signals", units, soon=signals, later=signals),
        Slot("files", lambda: FileWatch(guest_time), soon=soon, later=most),
    ]
