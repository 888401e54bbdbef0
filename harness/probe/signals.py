# SPDX-License-Identifier: GPL-3.0-only
"""The source `units`: state changes of snapd's and the snaps' units, as PID 1 signals them.

Whoever is connected to PID 1's private socket gets every signal (bus_foreach_bus in systemd's dbus.c), with
the values of the moment in it; so one connection listens for good, and the one that asks is closed after use.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from collections.abc import Callable, Mapping

from .bus import AUTHENTICATE, MEMBER, PATH, PRIVATE_SOCKET, SIGNATURE, Reader, parse_fields
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

SIGNAL = 4
HEAD = 16
LARGEST_MESSAGE = 128 << 20  # the specification's limit
CHUNK = 1 << 18
OBJECTS = b"/org/freedesktop/systemd1/unit/"
# Escaped as in an object's path: `.` is _2e and `-` is _2d. A look at the bytes spares the parsing of most.
WANTED = tuple(OBJECTS + start for start in (b"snap_2e", b"snap_2d", b"snapd", b"revert_2dsafety_2dhold_2d"))
UNITS = re.compile(r"snap\..*\.service|snap-.*\.mount|snapd.*\.(service|socket)")
# What a held unit waits for: the service of the hold of that number.
HOLD = re.compile(r"revert-safety-hold-([0-9]+)\.service", re.ASCII)
UNIT_INTERFACE = "org.freedesktop.systemd1.Unit"
CHANGED = "PropertiesChanged"
# Of a service, mount or socket, sent right before the unit's own.
OF_KIND = {
    "result": "Result",
    "restarts": "NRestarts",
    "main_pid": "MainPID",
    "exit_code": "ExecMainCode",
    "exit_status": "ExecMainStatus",
}


class UnitWatch:
    """Reads signals from an authenticated connection to PID 1."""

    is_urgent = False

    def __init__(self, connection: socket.socket, now: Callable[[], int], received: bytes = b"") -> None:
        self._connection = connection
        self._now = now
        self._since = self._read_at = now()
        self._received = received
        self._serial = 0
        self._known: dict[str, dict[str, Any]] = {}
        self._told: dict[str, JSON] = {}
        self._told_holds: dict[int, int] = {}  # 1: its beginning has been told, 2: also its end
        self.descriptors = [connection.fileno()]

    def since(self) -> Mapping[str, int]:
        """When it was connected."""
        return {"units": self._since}

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()

    def read(self) -> list[JSON]:
        """What has changed since. Raises OSError when PID 1 has hung up or talks nonsense."""
        before, self._read_at = self._read_at, self._now()
        self._receive()
        said: list[JSON] = []
        try:
            while message := self._next_message():
                said += self._understand(message, before)
        except (ValueError, TypeError, LookupError, struct.error, RecursionError) as error:
            raise OSError(0, f"PID 1 sent what cannot be read: {error}") from error
        return said

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while chunk := self._connection.recv(CHUNK, socket.MSG_DONTWAIT):
                self._received += chunk
                if len(chunk) < CHUNK:
                    return
            raise ConnectionResetError(0, "PID 1 closed the connection")

    def _next_message(self) -> bytes:
        if len(self._received) < HEAD:
            return b""
        if self._received[:1] != b"l":
            raise ValueError("a message in an unknown byte order")
        body, _, fields = struct.unpack_from("<III", self._received, 4)
        size = HEAD + ((fields + 7) & ~7) + body
        if size > LARGEST_MESSAGE:
            raise ValueError("a message that is too long")
        if len(self._received) < size:
            return b""
        message, self._received = self._received[:size], self._received[size:]
        return message

    def _understand(self, message: bytes, before: int) -> list[JSON]:
        body_size, serial, fields_size = struct.unpack_from("<III", message, 4)
        expected, self._serial = self._serial + 1, serial
        said: list[JSON] = []
        if expected not in (1, serial):
            # PID 1 counts also what its queue had no room for.
            why = f"PID 1 could not send {serial - expected} messages"
            said.append({"type": "lost", "source": "units", "at": self._now(), "since": before, "why": why})
        fields = message[HEAD : HEAD + fields_size]
        if message[1] == SIGNAL and any(start in fields for start in WANTED):
            said += self._signal(parse_fields(message[:HEAD], fields), message[len(message) - body_size :])
        return said

    def _signal(self, fields: dict[int, Any], body: bytes) -> list[JSON]:
        unit = unit_of_path(str(fields.get(PATH)))
        is_change = fields.get(MEMBER) == CHANGED and fields.get(SIGNATURE) == "sa{sv}as"
        hold = HOLD.fullmatch(unit)
        if not is_change or not (hold or UNITS.fullmatch(unit)):
            return []
        interface, changed, _ = Reader(body).values("sa{sv}as")
        known = self._known.setdefault(unit, {})
        known |= dict(changed)
        if interface != UNIT_INTERFACE:
            return []
        return self._held(int(hold[1]), known) if hold else self._changed(unit, known)

    def _held(self, hold: int, known: dict[str, Any]) -> list[JSON]:
        over = known["ActiveState"] != "activating"
        since, at = (
            int(known[name]) * 1000
            for name in ("InactiveExitTimestampMonotonic", "StateChangeTimestampMonotonic")
        )
        if not since or self._told_holds.get(hold, 0) > over:
            return []
        self._told_holds[hold] = over + 1
        return [{"type": "held", "at": at, "hold": hold, "since": since, "over": over}]

    def _changed(self, unit: str, known: dict[str, Any]) -> list[JSON]:
        seen = {"name": unit, "load_state": "loaded", "result": ""}
        seen |= {"active_state": str(known["ActiveState"]), "sub_state": str(known["SubState"])}
        seen |= {key: known[name] for key, name in OF_KIND.items() if name in known}
        stamp = int(known["StateChangeTimestampMonotonic"]) * 1000
        if not stamp:
            return []  # it has been loaded, and nothing more
        if seen == self._told.get(unit):
            return []  # most signals tell of nothing that matters here
        self._told[unit] = seen
        return [{"type": "unit-changed", "at": stamp, "unit": seen}]


class UnitOpener:
    """Connects to PID 1 without waiting for it: it answers when it has read its units."""

    def __init__(self, now: Callable[[], int], path: str = PRIVATE_SOCKET) -> None:
        self._now = now
        self._path = path
        self._connection: socket.socket | None = None
        self._answer = b""

    def __call__(self) -> UnitWatch | None:
        """The watch, or None as long as PID 1 has not answered."""
        try:
            connection = self._connection = self._connection or self._connect()
            self._answer += connection.recv(CHUNK, socket.MSG_DONTWAIT)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                self._forget()
            return None
        *answers, rest = self._answer.split(b"\r\n", 2)
        if len(answers) < 2:
            return None
        if not answers[1].startswith(b"OK "):
            raise OSError(0, f"PID 1 refuses: {self._answer[:80]!r}")
        self._connection, self._answer = None, b""
        return UnitWatch(connection, self._now, rest)

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.setblocking(False)
            connection.connect(self._path)
            connection.sendall(AUTHENTICATE)
        except BaseException:
            connection.close()
            raise
        return connection

    def _forget(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection, self._answer = None, b""


def unit_of_path(path: str) -> str:
    """The unit that an object's path stands for (sd_bus_path_decode(3))."""
    escaped = path.removeprefix(OBJECTS.decode())
    return re.sub(r"_([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), escaped)
