# SPDX-License-Identifier: GPL-3.0-only
"""What PID 1 says on its private socket, in the bytes of D-Bus."""

from __future__ import annotations

import struct

from harness.probe import bus
from harness.probe.bus import object_path
from harness.probe.signals import SIGNAL, UNIT_INTERFACE

SERVICE = "org.freedesktop.systemd1.Service"
UNIT = "snap.witness.report.service"
HOLD = "revert-safety-hold-12.service"


class Body:
    """Writes values as D-Bus aligns them."""

    def __init__(self) -> None:
        self.raw = b""

    def align(self, size: int) -> None:
        self.raw += bytes(-len(self.raw) % size)

    def number(self, form: str, value: int) -> None:
        self.align(struct.calcsize(form))
        self.raw += struct.pack("<" + form, value)

    def text(self, value: str) -> None:
        self.number("I", len(value.encode()))
        self.raw += value.encode() + b"\0"

    def variant(self, value: str | int) -> None:
        kind = "s" if isinstance(value, str) else "t"
        self.raw += b"\x01" + kind.encode() + b"\0"
        if isinstance(value, str):
            self.text(value)
        else:
            self.number("Q", value)

    def changed(self, interface: str, properties: dict[str, str | int]) -> bytes:
        """The body of PropertiesChanged: sa{sv}as."""
        self.text(interface)
        self.all_of(properties)
        self.number("I", 0)
        return self.raw

    def all_of(self, properties: dict[str, str | int]) -> bytes:
        """The body of an answer to GetAll: a{sv}."""
        self.number("I", 0)
        size_at = len(self.raw) - 4
        self.align(8)
        start = len(self.raw)
        for name, value in properties.items():
            self.align(8)
            self.text(name)
            self.variant(value)
        self.raw = self.raw[:size_at] + struct.pack("<I", len(self.raw) - start) + self.raw[size_at + 4 :]
        return self.raw


def framed(kind: int, serial: int, fields: bytes, body: bytes) -> bytes:
    head = struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), serial, len(fields))
    return head + fields + bytes(-len(head + fields) % 8) + body


def message(
    serial: int, path: str, body: bytes, *, member: str = "PropertiesChanged", kind: int = SIGNAL
) -> bytes:
    fields = b""
    values = [
        (bus.PATH, "o", path), (bus.INTERFACE, "s", bus.PROPERTIES),
        (bus.MEMBER, "s", member), (bus.SIGNATURE, "g", "sa{sv}as"),
    ]  # fmt: skip
    for code, signature, value in values:
        fields += bytes(-len(fields) % 8) + bytes((code, 1, ord(signature), 0))
        fields += (
            (bytes((len(value),)) if signature == "g" else struct.pack("<I", len(value)))
            + value.encode()
            + b"\0"
        )
    return framed(kind, serial, fields, body)


def answer(
    serial: int, to: int, body: bytes, *, kind: int = bus.METHOD_RETURN, signature: str = "a{sv}"
) -> bytes:
    fields = bytes((bus.REPLY_SERIAL, 1, ord("u"), 0)) + struct.pack("<I", to)
    fields += bytes((bus.SIGNATURE, 1, ord("g"), 0, len(signature))) + signature.encode() + b"\0"
    return framed(kind, serial, fields, body)


def states(active: str, sub: str, stamp: int) -> dict[str, str | int]:
    return {"ActiveState": active, "SubState": sub, "StateChangeTimestampMonotonic": stamp}


def of_service(serial: int, unit: str = UNIT, **properties: str | int) -> bytes:
    return message(serial, object_path(unit), Body().changed(SERVICE, properties))


def of_unit(serial: int, properties: dict[str, str | int], unit: str = UNIT) -> bytes:
    return message(serial, object_path(unit), Body().changed(UNIT_INTERFACE, properties))


def of_hold(serial: int, active: str, stamp: int, unit: str = HOLD) -> bytes:
    return of_unit(serial, states(active, "any", stamp) | {"InactiveExitTimestampMonotonic": 4}, unit)


def of_held(active: str, since: int, stamp: int) -> bytes:
    return Body().all_of(states(active, "any", stamp) | {"InactiveExitTimestampMonotonic": since})
