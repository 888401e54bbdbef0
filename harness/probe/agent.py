# SPDX-License-Identifier: GPL-3.0-only
"""The witness's life: find its port, say hello, say when ssh is ready, answer requests for a look."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import select
import time

from .audit import open_profile_watch
from .bus import Bus
from .calm import await_calm
from .files import FileReader
from .filewatch import FileWatch
from .holds import Holds
from .look import Looker, boot_id, guest_time
from .marker import Marker
from .signals import UnitOpener
from .tracewatch import TraceWatch
from .units import Units
from .watch import Slot, Watch
from .wire import JSON

PORT = "org.revert-safety.witness"
LONGEST_LINE = 8 << 20
LONGEST_REQUEST = 1 << 16
# sshd writes its pid file once it listens (sshd.c), which makes the file the sign that it can be reached.
SSH_MARKER = "/run/revert-safety/sshd.pid"


class Port:
    """Lines to the host, and from it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._received = b""

    def say(self, said: JSON) -> None:
        """Write one whole line, however little the port takes at a time."""
        line = json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        if len(line) > LONGEST_LINE:
            line = (
                json.dumps(_trouble(said.get("request", 0), f"a line of {len(line)} bytes")).encode() + b"\n"
            )
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

    def __init__(self, port: Port, marker: Marker, slots: list[Slot]) -> None:
        self._port = port
        self._marker = marker
        self._bus = Bus()
        self._units = Units(self._bus)
        self._looker = Looker(self._units, FileReader(), self._glance)
        self._watch = Watch(port.say, slots)
        self._holds = Holds()
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
                    self._answer(line)

    def _wait(self, requests: list[int], seconds: float | None) -> bool:
        """Wait for a request or the time's end, or less; tells of all else that happens meanwhile."""
        self._watch.open()
        marker = [] if self._is_ready else [self._marker.descriptor]
        watched = self._watch.descriptors
        times = [time for time in (seconds, self._watch.patience) if time is not None]
        readable, _, _ = select.select([*requests, *marker, *watched], [], [], min(times, default=None))
        if not set(readable).isdisjoint(marker):
            self._note_ready()
        self._watch.read(set(readable) & set(watched))
        return bool(set(readable) & set(requests))

    def _note_ready(self) -> None:
        if self._marker.seen():
            self._is_ready = True
            self._port.say({"type": "ready", "boot_id": boot_id(), "at": guest_time()})

    def _pause(self, seconds: float) -> None:
        """Let time pass; requests stay in the port."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._wait([], left)

    def _glance(self) -> None:
        """Tell of what has happened, without waiting."""
        self._wait([], 0)

    def _answer(self, line: bytes) -> None:
        request = 0
        try:
            asked = json.loads(line)
            request = int(asked["request"])
            if asked.get("type") == "release-request":
                self._holds.release(int(asked["hold"]))
                self._port.say({"type": "released", "request": request})
            else:
                look = self._look(asked)
                self._port.say(
                    {"type": "looked", "request": request, "look": look, "occurred": self._watch.told}
                )
        except Exception as error:  # whatever it is, the host must hear of it
            self._port.say(_trouble(request, f"{type(error).__name__}: {error}"))
        finally:
            self._bus.close()  # while it is open, PID 1 sends every signal there too

    def _look(self, asked: JSON) -> JSON:
        look = self._calm_look(str(asked["reason"]), float(asked["settle"]))
        if asked.get("twins"):
            # It takes `subprocess` along, and nobody asks for twins before a boot has settled.
            from .twin import read_twins  # noqa: PLC0415

            look["twins"] = read_twins([service["tag"] for service in look["services"]], self._pause)
        return look

    def _calm_look(self, reason: str, settle: float) -> JSON:
        """A look at a calm guest. A service that fails again and again can start between calm and look."""
        ends = time.monotonic() + settle
        while True:
            left = await_calm(self._units, ends - time.monotonic(), self._pause)
            look = self._looker.look(reason, left)
            if not look["unsettled"] or time.monotonic() >= ends:
                return look


def own_sha256() -> str:
    """One digest over this package's files (`harness.guest.seed` computes the same)."""
    digest = hashlib.sha256()
    for path in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "*.py"))):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
        digest.update(f"{os.path.basename(path)} {content}\n".encode())
    return digest.hexdigest()


def find_port(name: str = PORT) -> str:
    """The device of the virtio-serial port, from sysfs: earlier in a boot than udev's links."""
    while True:
        for path in glob.glob("/sys/class/virtio-ports/*/name"):
            with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
                if file.read().strip() == name:
                    return "/dev/" + os.path.basename(os.path.dirname(path))
        time.sleep(0.05)


def main() -> None:
    """Run as the witness of this guest."""
    port = Port(os.open(find_port(), os.O_RDWR | os.O_CLOEXEC))
    agent = Agent(port, Marker(SSH_MARKER), slots())
    agent.hello()
    agent.live()


def slots() -> list[Slot]:
    """All sources, the most urgent first: a process that has just become a service may soon end.

    Most of what they tell is thrown away, and in an emulated guest waking up for it costs 10 ms of CPU time,
    hundreds of times in a boot. From snap-confine on a service takes 0.3 s there to be executed.
    """
    return [
        Slot("the kernel's trace", lambda: TraceWatch(guest_time), rest=0.2),
        Slot("AppArmor's records", lambda: open_profile_watch(guest_time)),
        Slot("systemd's signals", UnitOpener(guest_time), rest=0.1),
        Slot("files", lambda: FileWatch(guest_time), rest=0.2),
    ]


def _trouble(request: int, message: str) -> JSON:
    return {"type": "trouble", "request": request, "message": message}
