# SPDX-License-Identifier: GPL-3.0-only
"""The source `units`: state changes of snapd's and the snaps' units, as PID 1 signals them.

Whoever is connected to PID 1's private socket gets every signal (bus_foreach_bus in systemd's dbus.c), with
the values of the moment in it; so one connection listens for good, and the one that asks is closed after use.
The service of a hold starts with the first units of a boot, and PID 1 may take this connection after that:
what has become of it by then is asked once.
"""

from __future__ import annotations

import _socket as socket
import struct

from .bus import (
    AUTHENTICATE,
    MEMBER,
    METHOD_RETURN,
    PATH,
    PRIVATE_SOCKET,
    PROPERTIES,
    REPLY_SERIAL,
    SIGNATURE,
    Reader,
    method_call,
    object_path,
    parse_fields,
)
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

SIGNAL = 4
HEAD = 16
LARGEST_MESSAGE = 128 << 20  # the specification's limit
CHUNK = 1 << 18
OBJECTS = b"/org/freedesktop/systemd1/unit/"
# Escaped as in an object's path: `.` is _2e and `-` is _2d.
WANTED = (b"snap_2e", b"snap_2d", b"snapd", b"revert_2dsafety_2dhold_2d")
LITTLE = ord("l")
# How the names of units begin and end.
UNITS = (
    ("snap.", (".service",)),
    ("snap-", (".mount",)),
    ("snapd", (".service", ".socket")),
)
# What a held unit waits for: the service of the hold of that number.
HOLD = "revert-safety-hold-"
ON_ITS_WAY = ("activating", "deactivating", "reloading")
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

# Of all kinds, and how a message has them: the length, the name, a zero byte.
OF_UNIT = ("ActiveState", "SubState", "StateChangeTimestampMonotonic", "InactiveExitTimestampMonotonic")
NAMES = [
    (name, struct.pack("<I", len(name)) + name.encode() + b"\0") for name in (*OF_UNIT, *OF_KIND.values())
]
_SIZES = struct.Struct("<B3xIII")


class UnitWatch:
    """Reads signals from an authenticated connection to PID 1."""

    is_urgent = False

    def __init__(
        self,
        connection: socket.socket,
        now: Callable[[], int],
        received: bytes = b"",
        holds: Sequence[int] = (),
    ) -> None:
        self._connection = connection
        self._now = now
        self._since = self._read_at = now()
        self._received = received
        self._serial = 0
        self._known: dict[str, dict[str, Any]] = {}
        self._told: dict[str, JSON] = {}
        self._told_holds: dict[int, int] = {}  # 1: its beginning has been told, 2: also its end
        self._asked = dict(enumerate(holds, start=1))  # which hold each call was about
        self.descriptors = [connection.fileno()]
        for serial, hold in self._asked.items():
            path = object_path(f"{HOLD}{hold}.service")
            connection.sendall(method_call(serial, path, PROPERTIES, "GetAll", "s", UNIT_INTERFACE))

    def since(self) -> Mapping[str, int]:
        """When it was connected."""
        return {"units": self._since}

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()
        self._known.clear()

    def state_of(self, unit: str) -> str:
        """The ActiveState that was told last; empty when none was."""
        return str(self._known.get(unit, {}).get("ActiveState", ""))

    def read(self) -> list[JSON]:
        """What has changed since. Raises OSError when PID 1 has hung up or talks nonsense."""
        before, self._read_at = self._read_at, self._now()
        self._receive()
        said: list[JSON] = []
        place = 0
        try:
            while size := self._size_of_next(place):
                said += self._understand(place, size, before)
                place += size
        except (ValueError, TypeError, LookupError, struct.error, RecursionError) as error:
            raise OSError(0, f"PID 1 sent what cannot be read: {error}") from error
        self._received = self._received[place:]
        return said

    def _receive(self) -> None:
        try:
            while chunk := self._connection.recv(CHUNK, socket.MSG_DONTWAIT):
                self._received += chunk
                if len(chunk) < CHUNK:
                    return
        except BlockingIOError:
            return
        raise ConnectionResetError(0, "PID 1 closed the connection")

    def _size_of_next(self, place: int) -> int:
        """How long the message there is; 0 when it has not all come."""
        left = len(self._received) - place
        if left < HEAD:
            return 0
        order, body, _, fields = _SIZES.unpack_from(self._received, place)
        if order != LITTLE:
            raise ValueError("a message in an unknown byte order")
        size = HEAD + ((fields + 7) & ~7) + int(body)
        if size > LARGEST_MESSAGE:
            raise ValueError("a message that is too long")
        return size if size <= left else 0

    def _understand(self, place: int, size: int, before: int) -> list[JSON]:
        _, body_size, serial, fields_size = _SIZES.unpack_from(self._received, place)
        expected, self._serial = self._serial + 1, serial
        said: list[JSON] = []
        if expected not in (1, serial):
            # PID 1 counts also what its queue had no room for.
            why = f"PID 1 could not send {serial - expected} messages"
            said.append({"type": "lost", "source": "units", "at": self._now(), "since": before, "why": why})
        ends = place + HEAD + fields_size
        if self._received[place + 1] == METHOD_RETURN:
            fields = parse_fields(self._received[place : place + HEAD], self._received[place + HEAD : ends])
            hold = self._asked.pop(fields.get(REPLY_SERIAL, 0), None)
            if hold is not None:
                said += self._held(hold, _values(self._received[place + size - body_size : place + size]))
            return said
        # Most are of units that do not matter: a look at the bytes spares the parsing.
        unit = self._received.find(OBJECTS, place + HEAD, ends)
        is_wanted = unit >= 0 and self._received.startswith(WANTED, unit + len(OBJECTS))
        if is_wanted and self._received[place + 1] == SIGNAL:
            head, body = self._received[place : place + HEAD], place + size - body_size
            fields = parse_fields(head, self._received[place + HEAD : ends])
            said += self._signal(fields, self._received[body : place + size])
        return said

    def _signal(self, fields: dict[int, Any], body: bytes) -> list[JSON]:
        unit = unit_of_path(str(fields.get(PATH)))
        is_change = fields.get(MEMBER) == CHANGED and fields.get(SIGNATURE) == "sa{sv}as"
        hold = hold_of(unit)
        if not is_change or not (hold or is_ours(unit)):
            return []
        known = self._known.setdefault(unit, {})
        known |= _values(body)
        if Reader(body).values("s") != [UNIT_INTERFACE]:
            return []
        return self._held(int(hold), known) if hold else self._changed(unit, known)

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


def _values(body: bytes) -> dict[str, Any]:
    """The properties that matter, of the dozens that a message has; raises as `Reader` does.

    What no string of D-Bus may hold, zero bytes, stands around a name: so it is found nowhere else.
    """
    found: dict[str, Any] = {}
    for name, encoded in NAMES:
        place = body.find(encoded)
        if place >= 0:
            place += len(encoded)
            (found[name],) = Reader(body, place).values("v")
    return found


class UnitOpener:
    """Connects to PID 1 without waiting for it: it answers when it has read its units."""

    def __init__(
        self, now: Callable[[], int], path: str = PRIVATE_SOCKET, holds: Callable[[], Sequence[int]] = tuple
    ) -> None:
        self._now = now
        self._path = path
        self._holds = holds
        self._connection: socket.socket | None = None
        self._answer = b""
        self._watch: UnitWatch | None = None

    def is_on_its_way(self, unit: str) -> bool:
        """Whether PID 1 has said that a unit is, and not yet that it has arrived."""
        return self._watch is not None and self._watch.state_of(unit) in ON_ITS_WAY

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
        self._watch = UnitWatch(connection, self._now, rest, self._holds())
        return self._watch

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


def is_ours(unit: str) -> bool:
    """Whether a unit is snapd's or a snap's."""
    return any(unit.startswith(start) and unit.endswith(ends) for start, ends in UNITS)


def hold_of(unit: str) -> str:
    """The number of the hold whose service a unit is; empty for other units."""
    number = unit.removeprefix(HOLD).removesuffix(".service")
    is_hold = unit == f"{HOLD}{number}.service" and number.isascii() and number.isdigit()
    return number if is_hold else ""


def unit_of_path(path: str) -> str:
    """The unit that an object's path stands for (sd_bus_path_decode(3))."""
    escaped = path.removeprefix(OBJECTS.decode())
    first, *parts = escaped.split("_")
    return first + "".join(_character(part[:2]) + part[2:] for part in parts)


def _character(digits: str) -> str:
    is_hex = len(digits) == 2 and all(digit in "0123456789abcdef" for digit in digits)
    return chr(int(digits, 16)) if is_hex else f"_{digits}"
