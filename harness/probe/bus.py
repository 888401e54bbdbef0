# SPDX-License-Identifier: GPL-3.0-only
"""Asks systemd over its private socket: milliseconds, where a `systemctl` costs hundreds in a slow guest.

Enough of D-Bus for that: method calls with strings, and answers of any type (the specification's "Message
Protocol"). PID 1 answers root on this socket without any bus, also early in a boot.
"""

from __future__ import annotations

import _socket as socket
import struct

from .wire import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PRIVATE_SOCKET = "/run/systemd/private"
MANAGER_PATH = "/org/freedesktop/systemd1"
SECONDS = 10.0
# BEGIN goes with the rest: PID 1 forgets a first call that it reads in one piece with BEGIN.
AUTHENTICATE = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"
METHOD_RETURN, ERROR = 2, 3
PROPERTIES = "org.freedesktop.DBus.Properties"
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, SIGNATURE = 1, 2, 3, 4, 5, 8
_SIZES = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}


class BusError(OSError):
    """systemd answered with an error, or not at all."""


class Bus:
    """A connection to PID 1. After an error it is closed and the next call makes a new one."""

    def __init__(self, path: str = PRIVATE_SOCKET) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._serial = 0

    def call(self, path: str, interface: str, member: str, signature: str = "", *arguments: Any) -> list[Any]:
        """The answer's values. Raises BusError."""
        try:
            return self._call(path, interface, member, signature, arguments)
        except (OSError, ValueError, struct.error, IndexError) as error:
            self.close()
            if isinstance(error, BusError):
                raise
            raise BusError(0, f"systemd does not answer {member}: {error}") from error

    def property(self, path: str, interface: str, name: str) -> Any:
        """A property's value. Raises BusError."""
        answer = self.call(path, PROPERTIES, "Get", "ss", interface, name)
        return answer[0] if answer else None

    def close(self) -> None:
        """Forget the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _call(
        self, path: str, interface: str, member: str, signature: str, arguments: tuple[Any, ...]
    ) -> list[Any]:
        connection = self._socket = self._socket or self._connect()
        self._serial += 1
        connection.sendall(method_call(self._serial, path, interface, member, signature, *arguments))
        while True:
            kind, found, raw = _receive(connection)
            if found.get(REPLY_SERIAL) != self._serial:
                continue
            values = Reader(raw).values(str(found.get(SIGNATURE, "")))
            if kind == ERROR:
                raise BusError(0, f"{found.get(ERROR_NAME)}: {values[0] if values else ''}")
            return values

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(SECONDS)
            connection.connect(self._path)
            connection.sendall(AUTHENTICATE)
            answer = b""
            while answer.count(b"\r\n") != 2:
                answer += _exactly(connection, 1)
            if b"\r\nOK " not in b"\r\n" + answer:
                raise BusError(0, f"systemd refuses: {answer!r}")
        except BaseException:
            connection.close()
            raise
        return connection


def object_path(unit: str) -> str:
    """The unit's object; asking it loads the unit when it is not loaded (sd_bus_path_encode(3))."""
    plain = (
        letter.isalnum() and letter.isascii() and (place or not letter.isdigit())
        for place, letter in enumerate(unit)
    )
    escaped = (c if keep else f"_{ord(c):02x}" for c, keep in zip(unit, plain, strict=True))
    return f"{MANAGER_PATH}/unit/{''.join(escaped)}"


def _receive(connection: socket.socket) -> tuple[int, dict[int, Any], bytes]:
    head = _exactly(connection, 16)
    if head[0:1] != b"l":
        raise ValueError("a message in an unknown byte order")
    body_size, _serial, fields_size = struct.unpack_from("<III", head, 4)
    fields = _exactly(connection, (fields_size + 7) & ~7)[:fields_size]
    return head[1], parse_fields(head, fields), _exactly(connection, body_size)


def parse_fields(head: bytes, fields: bytes) -> dict[int, Any]:
    """The header fields of a message, of its first 16 bytes and those after; raises as `Reader` does."""
    return dict(Reader(head[12:] + fields, 0, skipped=12).values("a(yv)")[0])


def _exactly(connection: socket.socket, size: int) -> bytes:
    chunks = []
    while size:
        chunk = connection.recv(min(size, 1 << 20))
        if not chunk:
            raise BusError(0, "systemd closed the connection")
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def method_call(
    serial: int, path: str, interface: str, member: str, signature: str = "", *arguments: Any
) -> bytes:
    """The message that calls a method with strings."""
    fields = {PATH: ("o", path), INTERFACE: ("s", interface), MEMBER: ("s", member)}
    return _message(serial, {**fields, SIGNATURE: ("g", signature)}, _marshalled(signature, arguments))


def _message(serial: int, fields: dict[int, tuple[str, str]], body: bytes) -> bytes:
    raw = b""
    for code, (signature, value) in fields.items():
        if value:
            raw += bytes(-len(raw) % 8) + bytes((code, 1, ord(signature), 0))
            raw += _signature(value) if signature == "g" else _string(value)
    head = struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), serial, len(raw))
    return head + raw + bytes(-(len(head) + len(raw)) % 8) + body


def _marshalled(signature: str, arguments: tuple[Any, ...]) -> bytes:
    raw = b""
    for kind, value in zip(signature.replace("as", "a"), arguments, strict=True):
        raw += bytes(-len(raw) % 4)
        raw += _strings(value) if kind == "a" else _string(value)
    return raw


def _strings(values: list[str]) -> bytes:
    raw = b""
    for value in values:
        raw += bytes(-len(raw) % 4) + _string(value)
    return struct.pack("<I", len(raw)) + raw


def _string(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<I", len(raw)) + raw + b"\0"


def _signature(value: str) -> bytes:
    return bytes((len(value),)) + value.encode() + b"\0"


class Reader:
    """Reads values by their signature; alignment counts from `skipped` bytes before `raw`."""

    def __init__(self, raw: bytes, place: int = 0, *, skipped: int = 0) -> None:
        self._raw = raw
        self._place = place
        self._skipped = skipped

    def values(self, signature: str) -> list[Any]:
        """All values of a signature. Raises ValueError, IndexError or struct.error for what does not fit."""
        found: list[Any] = []
        while signature:
            kind, signature = split_signature(signature)
            found.append(self._value(kind))
        return found

    def _value(self, kind: str) -> Any:
        if kind[0] in _SIZES:
            return self._number(kind)
        special: dict[str, Callable[[str], Any]] = {
            "s": self._string, "o": self._string, "g": self._short_string,
            "v": self._variant, "a": self._array, "(": self._struct, "{": self._struct,
        }  # fmt: skip
        if kind[0] not in special:
            raise ValueError(f"unknown type {kind!r}")
        return special[kind[0]](kind)

    def _align(self, size: int) -> None:
        self._place += -(self._place + self._skipped) % size

    def _number(self, kind: str) -> Any:
        form = struct.Struct("<" + _SIZES[kind])
        self._align(form.size)
        (value,) = form.unpack_from(self._raw, self._place)
        self._place += form.size
        return bool(value) if kind == "b" else value

    def _string(self, _kind: str) -> str:
        return self._text(self._number("u"))

    def _short_string(self, _kind: str) -> str:
        return self._text(self._number("y"))

    def _text(self, size: int) -> str:
        raw = self._raw[self._place : self._place + size]
        self._place += size + 1
        return raw.decode("utf-8", "backslashreplace")

    def _variant(self, _kind: str) -> Any:
        values = self.values(self._short_string("g"))
        return values[0]

    def _array(self, kind: str) -> list[Any]:
        size = self._number("u")
        self._align(8 if kind[1] in "xtd({" else 1)
        ends = self._place + size
        if ends > len(self._raw):
            raise ValueError("an array is longer than its message")
        found = []
        while self._place < ends:
            found.append(self._value(kind[1:]))
        return found

    def _struct(self, kind: str) -> tuple[Any, ...]:
        self._align(8)
        return tuple(self.values(kind[1:-1]))


def split_signature(signature: str) -> tuple[str, str]:
    """The first complete type of a signature, and the rest."""
    ends = 0
    while signature[ends] == "a":
        ends += 1
    depth = 0
    while True:
        depth += (signature[ends] in "({") - (signature[ends] in ")}")
        ends += 1
        if not depth:
            return signature[:ends], signature[ends:]
