# SPDX-License-Identifier: GPL-3.0-only
"""PID 1's signals, in the bytes of D-Bus, with what may come between them."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import codec
from harness.model.clock import GuestTime
from harness.model.occurrence import Held, Lost, Occurrence, Source, UnitChanged
from harness.probe import bus
from harness.probe.signals import SIGNAL, UNIT_INTERFACE, UnitOpener, UnitWatch
from harness.probe.units import object_path

SERVICE = "org.freedesktop.systemd1.Service"
UNIT = "snap.witness.report.service"
HELLO = b"DATA\r\nOK 0123456789abcdef\r\n"


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
        self.number("I", 0)
        size_at = len(self.raw) - 4
        self.align(8)
        start = len(self.raw)
        for name, value in properties.items():
            self.align(8)
            self.text(name)
            self.variant(value)
        self.raw = self.raw[:size_at] + struct.pack("<I", len(self.raw) - start) + self.raw[size_at + 4 :]
        self.number("I", 0)
        return self.raw


def message(
    serial: int, path: str, body: bytes, *, member: str = "PropertiesChanged", kind: int = SIGNAL
) -> bytes:
    fields = b""
    values = [
        (bus.PATH, "o", path), (bus.INTERFACE, "s", "org.freedesktop.DBus.Properties"),
        (bus.MEMBER, "s", member), (bus.SIGNATURE, "g", "sa{sv}as"),
    ]  # fmt: skip
    for code, signature, value in values:
        fields += bytes(-len(fields) % 8) + bytes((code, 1, ord(signature), 0))
        fields += (
            (bytes((len(value),)) if signature == "g" else struct.pack("<I", len(value)))
            + value.encode()
            + b"\0"
        )
    head = struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), serial, len(fields))
    return head + fields + bytes(-len(head + fields) % 8) + body


def states(active: str, sub: str, stamp: int) -> dict[str, str | int]:
    return {"ActiveState": active, "SubState": sub, "StateChangeTimestampMonotonic": stamp}


def of_service(serial: int, unit: str = UNIT, **properties: str | int) -> bytes:
    return message(serial, object_path(unit), Body().changed(SERVICE, properties))


def of_unit(serial: int, properties: dict[str, str | int], unit: str = UNIT) -> bytes:
    return message(serial, object_path(unit), Body().changed(UNIT_INTERFACE, properties))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, UnitWatch]]:
    pid1, ours = socket.socketpair()
    clock = itertools.count(1)
    with pid1, ours:
        yield pid1, UnitWatch(ours, lambda: next(clock))


def told(watch: UnitWatch) -> list[Any]:
    return [codec.decode(Occurrence, one) for one in watch.read()]


def test_a_change_is_told_with_its_time_and_all_that_was_said_before(
    pair: tuple[socket.socket, UnitWatch],
) -> None:
    pid1, watch = pair
    pid1.sendall(of_service(1, MainPID=77, Result="exit-code", NRestarts=3, ExecMainCode=1, ExecMainStatus=9))
    pid1.sendall(of_unit(2, states("activating", "auto-restart", 1234)))
    (change,) = told(watch)
    assert isinstance(change, UnitChanged)
    unit = change.unit
    assert (change.at, unit.name) == (1_234_000, UNIT)
    assert (unit.active_state, unit.sub_state, unit.result) == ("activating", "auto-restart", "exit-code")
    assert (unit.main_pid, unit.restarts, unit.exit_code, unit.exit_status) == (77, 3, 1, 9)


def test_states_that_last_no_time_are_told_each(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    pid1.sendall(of_unit(1, states("failed", "failed", 5)) + of_unit(2, states("active", "running", 6)))
    assert [(c.at, c.unit.active_state) for c in told(watch)] == [(5000, "failed"), (6000, "active")]


def test_the_same_state_with_another_main_process_is_told_too(
    pair: tuple[socket.socket, UnitWatch],
) -> None:
    pid1, watch = pair
    running = states("active", "running", 5)
    pid1.sendall(of_service(1, MainPID=7) + of_unit(2, running))
    assert len(told(watch)) == 1
    pid1.sendall(of_service(3, MainPID=7) + of_unit(4, running))
    assert told(watch) == []
    pid1.sendall(of_service(5, MainPID=8) + of_unit(6, running))
    (change,) = told(watch)
    assert (change.unit.main_pid, change.at) == (8, 5000)


@pytest.mark.parametrize(
    ("unit", "is_told"),
    [
        ("snap.a-b.c.service", True),
        ("snap-core-x1.mount", True),
        ("snapd.service", True),
        ("snapd.socket", True),
        ("snapd.apparmor.service", True),
        ("snap.a.b.timer", False),
        ("ssh.service", False),
        ("x-snapd.service", False),
    ],
)
def test_units_of_snapd_and_snaps_are_told(
    pair: tuple[socket.socket, UnitWatch], unit: str, is_told: bool
) -> None:
    pid1, watch = pair
    pid1.sendall(of_unit(1, states("active", "mounted", 5), unit))
    assert [c.unit.name for c in told(watch)] == [unit] * is_told


HOLD = "revert-safety-hold-12.service"


def of_hold(serial: int, active: str, stamp: int, unit: str = HOLD) -> bytes:
    return of_unit(serial, states(active, "any", stamp) | {"InactiveExitTimestampMonotonic": 4}, unit)


def test_a_hold_is_told_when_it_begins_and_when_it_is_over(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    pid1.sendall(of_hold(1, "activating", 4) + of_hold(2, "activating", 4) + of_hold(3, "active", 9))
    pid1.sendall(of_hold(4, "active", 9) + of_hold(5, "deactivating", 11))
    assert told(watch) == [
        Held(at=GuestTime(4000), hold=12, since=GuestTime(4000), over=False),
        Held(at=GuestTime(9000), hold=12, since=GuestTime(4000), over=True),
    ]


def test_the_end_of_a_hold_tells_of_a_beginning_that_was_not_heard(
    pair: tuple[socket.socket, UnitWatch],
) -> None:
    pid1, watch = pair
    pid1.sendall(of_hold(1, "failed", 9))
    assert told(watch) == [Held(at=GuestTime(9000), hold=12, since=GuestTime(4000), over=True)]


def test_a_hold_that_was_only_loaded_has_held_nothing(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    pid1.sendall(of_unit(1, states("inactive", "dead", 0) | {"InactiveExitTimestampMonotonic": 0}, HOLD))
    pid1.sendall(of_hold(2, "activating", 4, "revert-safety-hold-x.service"))
    assert told(watch) == []


def test_a_unit_that_was_only_loaded_has_not_changed(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    pid1.sendall(of_unit(1, states("inactive", "dead", 0)))
    assert told(watch) == []


def test_messages_in_pieces_are_put_together(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    raw = of_unit(1, states("active", "running", 5))
    found = []
    for byte in raw:
        pid1.sendall(bytes((byte,)))
        found += told(watch)
    assert len(found) == 1


def test_messages_that_pid_1_could_not_send_are_lost(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    pid1.sendall(of_unit(41, states("active", "running", 5), "ssh.service"))
    assert told(watch) == []
    pid1.sendall(of_unit(44, states("active", "running", 5)))
    lost, change = told(watch)
    assert isinstance(lost, Lost)
    assert (lost.source, lost.why) == (Source.UNITS, "PID 1 could not send 2 messages")
    assert isinstance(change, UnitChanged)


@pytest.mark.parametrize(
    "raw",
    [
        b"B" + bytes(15),
        struct.pack("<cBBBIII", b"l", 4, 0, 1, 2**31, 1, 0),
        of_unit(1, {"ActiveState": "active"})[:-40] + bytes(40),
    ],
)
def test_nonsense_ends_the_connection(pair: tuple[socket.socket, UnitWatch], raw: bytes) -> None:
    pid1, watch = pair
    pid1.sendall(raw)
    with pytest.raises(OSError, match="PID 1 sent what cannot be read"):
        watch.read()


def test_a_signal_without_a_state_ends_the_connection(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    pid1.sendall(of_unit(1, {"ActiveState": "active"}))
    with pytest.raises(OSError, match="cannot be read"):
        watch.read()


def test_pid_1_hanging_up_ends_the_connection(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    pid1.close()
    with pytest.raises(ConnectionResetError):
        watch.read()


@given(st.binary(max_size=200))
def test_no_bytes_make_it_do_worse_than_end(raw: bytes) -> None:
    pid1, ours = socket.socketpair()
    with pid1, ours:
        watch = UnitWatch(ours, lambda: 1)
        pid1.sendall(message(1, object_path(UNIT), raw))
        with contextlib.suppress(OSError):
            told(watch)


def test_it_waits_for_pid_1_without_being_held_up(tmp_path: Path) -> None:
    opener = UnitOpener(lambda: 9, str(tmp_path / "private"))
    assert opener() is None
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "private"))
        listening.listen()
        assert opener() is None
        connection, _ = listening.accept()
        with connection:
            assert connection.recv(100) == bus.AUTHENTICATE
            connection.sendall(HELLO[:10])
            assert opener() is None
            connection.sendall(HELLO[10:] + of_unit(1, states("active", "running", 5)))
            watch = opener()
            assert watch is not None
            assert watch.since() == {"units": 9}
            assert len(told(watch)) == 1
            watch.close()


def test_a_pid_1_that_refuses_is_not_asked_again(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "private"))
        listening.listen()
        opener = UnitOpener(lambda: 9, str(tmp_path / "private"))
        assert opener() is None
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"DATA\r\nREJECTED\r\n")
            with pytest.raises(OSError, match="refuses"):
                opener()


def test_it_knows_without_asking_whether_a_unit_is_on_its_way(tmp_path: Path) -> None:
    path = str(tmp_path / "private")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        opener = UnitOpener(lambda: 1, path)
        assert not opener.is_on_its_way("snapd.service")
        opener()
        pid1, _ = listening.accept()
        with pid1:
            pid1.sendall(HELLO)
            watch = opener()
            assert watch is not None
            seen = []
            for serial, active in enumerate(("inactive", "activating", "active", "deactivating"), start=1):
                pid1.sendall(of_unit(serial, states(active, "any", serial), "snapd.service"))
                watch.read()
                seen.append(opener.is_on_its_way("snapd.service"))
            assert seen == [False, True, False, True]
            watch.close()
            assert not opener.is_on_its_way("snapd.service")


def test_words_of_a_service_are_not_taken_for_properties(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    words = {"StatusText": "ActiveState SubState\x0b\x01s", **states("active", "running", 5)}
    pid1.sendall(of_unit(1, words))
    (change,) = told(watch)
    assert (change.unit.active_state, change.unit.sub_state) == ("active", "running")


def test_what_has_come_in_part_waits_for_the_rest(pair: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = pair
    raw = of_unit(1, states("active", "running", 5)) + of_unit(2, states("failed", "failed", 6))
    for cut in range(0, len(raw), 50):
        pid1.sendall(raw[cut : cut + 50])
        found = told(watch)
        if cut + 50 < len(raw):
            continue
        assert [change.unit.active_state for change in found] == ["failed"]
