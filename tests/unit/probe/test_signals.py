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
from harness.probe.bus import object_path
from harness.probe.holds import holds_of_boot
from harness.probe.signals import UNIT_INTERFACE, UnitOpener, UnitWatch
from tests.unit.probe.pid1 import (
    HOLD,
    UNIT,
    Body,
    answer,
    message,
    of_held,
    of_hold,
    of_service,
    of_unit,
    states,
)

HELLO = b"DATA\r\nOK 0123456789abcdef\r\n"


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


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[tuple[socket.socket, UnitWatch]]:
    """A watch in a boot that began with holds 3 and 12, and the PID 1 that has just taken its connection."""
    path = str(tmp_path / "private")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        opener = UnitOpener(lambda: 9, path, lambda: [3, 12])
        assert opener() is None
        pid1, _ = listening.accept()
        with pid1:
            pid1.sendall(HELLO)
            watch = opener()
            assert watch is not None
            yield pid1, watch
            watch.close()


def test_a_hold_that_began_before_pid_1_took_the_connection_is_asked_for(
    asking: tuple[socket.socket, UnitWatch],
) -> None:
    pid1, watch = asking
    asked = pid1.recv(4096).removeprefix(bus.AUTHENTICATE)
    calls = [
        bus.method_call(number, object_path(unit), bus.PROPERTIES, "GetAll", "s", UNIT_INTERFACE)
        for number, unit in enumerate(("revert-safety-hold-3.service", HOLD), 1)
    ]
    assert asked == b"".join(calls)
    pid1.sendall(answer(1, 1, of_held("activating", 4, 4)) + answer(2, 2, of_held("inactive", 0, 0)))
    pid1.sendall(of_hold(3, "activating", 8) + of_hold(4, "active", 9))
    assert told(watch) == [
        Held(at=GuestTime(4000), hold=3, since=GuestTime(4000), over=False),
        Held(at=GuestTime(8000), hold=12, since=GuestTime(4000), over=False),
        Held(at=GuestTime(9000), hold=12, since=GuestTime(4000), over=True),
    ]


def test_an_answer_tells_nothing_that_a_signal_told_before(asking: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = asking
    pid1.sendall(of_hold(1, "activating", 4) + answer(2, 2, of_held("activating", 4, 4)))
    pid1.sendall(answer(3, 2, of_held("activating", 4, 4)) + answer(4, 9, of_held("activating", 4, 4)))
    assert len(told(watch)) == 1


def test_the_holds_of_a_boot_are_those_with_a_fifo(tmp_path: Path) -> None:
    for name in ("12", "12.fifo", "12.until", "3", "3.fifo"):
        (tmp_path / name).touch()
    assert holds_of_boot(str(tmp_path)) == [3, 12]
    assert holds_of_boot(str(tmp_path / "none")) == []


def test_pid_1_may_know_nothing_of_a_hold(asking: tuple[socket.socket, UnitWatch]) -> None:
    pid1, watch = asking
    body = Body()
    body.text("no such unit")
    pid1.sendall(answer(1, 1, body.raw, kind=bus.ERROR, signature="s") + of_hold(2, "activating", 4))
    assert told(watch) == [Held(at=GuestTime(4000), hold=12, since=GuestTime(4000), over=False)]


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
