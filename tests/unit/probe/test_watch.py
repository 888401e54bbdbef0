# SPDX-License-Identifier: GPL-3.0-only
"""Sources come and go; what they tell is numbered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

from harness.model import codec
from harness.model.occurrence import Executed, Lost, Source, Watching
from harness.model.wire import Occurred, Said, Trouble
from harness.probe.watch import MOST_IN_A_LINE, RETRY, SECOND, URGENT_SECONDS, Slot, Watch

FD = 5
EXECUTED = {"type": "executed", "at": 1, "pid": 1, "exe": "/x"}


class FakeSource:
    """Gives a list at each reading, or ends at an error."""

    is_urgent = False

    def __init__(self, *readings: list[dict[str, Any]] | OSError) -> None:
        self.descriptors = [FD]
        self.is_closed = False
        self._readings = list(readings)

    def since(self) -> Mapping[str, int]:
        return {"execs": 0, "starts": 7}

    def read(self) -> list[dict[str, Any]]:
        found = self._readings.pop(0) if self._readings else []
        if isinstance(found, OSError):
            raise found
        return list(found)

    def close(self) -> None:
        self.is_closed = True


class Listener:
    """Hears what a watch says."""

    def __init__(self) -> None:
        self.said: list[Said] = []

    def __call__(self, line: dict[str, Any]) -> None:
        self.said.append(codec.decode(Said, line))

    def occurred(self) -> list[Occurred]:
        return [said for said in self.said if isinstance(said, Occurred)]


def watching(*slots: Slot) -> tuple[Watch, Listener]:
    listener = Listener()
    watch = Watch(listener, list(slots))
    watch.open()
    return watch, listener


def test_a_source_says_since_when_it_watches() -> None:
    watch, listener = watching(Slot("x", FakeSource))
    (line,) = listener.occurred()
    assert [(type(o), o.source, o.since) for o in line.occurrences if isinstance(o, Watching)] == [
        (Watching, Source.EXECS, 0),
        (Watching, Source.STARTS, 7),
    ]
    assert watch.awaited() == ([FD], None)


def test_what_happened_is_told_in_numbered_lines_of_some_length() -> None:
    source = FakeSource([EXECUTED] * (MOST_IN_A_LINE + 1))
    watch, listener = watching(Slot("x", lambda: source))
    watch.read({FD})
    watch.read({FD})
    lines = listener.occurred()
    assert [line.number for line in lines] == [1, 2, 3]
    assert [len(line.occurrences) for line in lines] == [2, MOST_IN_A_LINE, 1]
    assert watch.told == len(lines)


@pytest.mark.parametrize(("is_readable", "pids"), [(True, [100, 1, 101, 2, 102]), (False, [100, 1, 2])])
def test_the_most_urgent_source_is_read_between_the_others_when_it_has_something(
    is_readable: bool, pids: list[int]
) -> None:
    urgent = FakeSource(*([{**EXECUTED, "pid": 100 + n}] for n in range(3)))
    slots = [Slot("a", lambda: urgent)]
    slots += [Slot("b", lambda n=n: FakeSource([{**EXECUTED, "pid": n}])) for n in (1, 2)]  # type: ignore[misc]
    watch, listener = watching(*slots)
    pipe = os.pipe()
    urgent.descriptors = [pipe[0]]
    os.write(pipe[1], b"x" * is_readable)
    watch.read({FD, pipe[0]})
    told = [o.pid for o in listener.occurred()[-1].occurrences if isinstance(o, Executed)]
    assert told == pids
    os.close(pipe[0])
    os.close(pipe[1])


def test_at_the_end_everything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    now = slow_clock(monkeypatch)
    source = FakeSource()
    monkeypatch.setattr(source, "read", lambda: now.append(now[-1] + SECOND) or [EXECUTED])
    watch, listener = watching(Slot("x", lambda: source, soon=100))
    watch.read({FD})
    assert watch.awaited()[0] == []
    watch.read_all()
    assert [len(line.occurrences) for line in listener.occurred()] == [2, 1, 1]


def test_a_source_that_is_not_ready_is_not_read() -> None:
    watch, listener = watching(Slot("x", lambda: FakeSource([EXECUTED])))
    watch.read({FD + 1})
    assert len(listener.occurred()) == 1


@pytest.mark.parametrize(
    ("took", "told", "rests"),
    [
        (0, False, 0),
        (1, False, 99),
        (0.5, False, 50),
        (30, False, 70),
        (130, False, 70),
        (1, True, 49),
        (30, True, 20),
    ],
)
def test_a_source_rests_as_long_as_its_reading_was_dear_and_less_when_it_told_of_something(
    took: float, told: bool, rests: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = slow_clock(monkeypatch)
    source = FakeSource()
    said = [EXECUTED] if told else []
    monkeypatch.setattr(source, "read", lambda: now.append(now[-1] + int(took * SECOND)) or said)
    watch, _ = watching(Slot("x", lambda: source, soon=50, later=100))
    assert watch.awaited()[0] == [FD]
    watch.read({FD})
    assert watch.awaited() == (([], rests) if rests else ([FD], None))
    now.append(now[-1] + int(rests * SECOND))
    assert watch.awaited() == ([FD], None)


def test_an_urgent_source_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = slow_clock(monkeypatch)
    source = FakeSource()
    source.is_urgent = True
    monkeypatch.setattr(source, "read", lambda: now.append(now[-1] + SECOND) or [])
    watch, _ = watching(Slot("x", lambda: source, soon=50, later=100))
    watch.read({FD})
    assert watch.awaited() == ([FD], None)


@pytest.mark.parametrize(("is_urgent", "interval"), [(False, 5.0), (True, URGENT_SECONDS)])
def test_a_source_that_need_not_wake_anybody_is_read_now_and_then(
    is_urgent: bool, interval: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = slow_clock(monkeypatch)
    source = FakeSource([EXECUTED])
    source.is_urgent = is_urgent
    watch, listener = watching(Slot("x", lambda: source, interval=5.0))
    assert watch.awaited()[1] == interval
    now.append(int(interval * SECOND) - 1)
    watch.read(set())
    assert len(listener.occurred()) == 1
    now.append(int(interval * SECOND))
    assert watch.awaited()[1] == 0
    watch.read(set())
    assert len(listener.occurred()) == 2
    assert watch.awaited()[1] == interval


def slow_clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The guest's clock, which shows what was appended last."""
    now = [0]
    monkeypatch.setattr("harness.probe.watch.guest_time", lambda: now[-1])
    return now


def test_a_source_that_is_not_there_yet_is_tried_again() -> None:
    found: list[FakeSource | None] = [None, FakeSource()]
    watch, listener = watching(Slot("x", lambda: found.pop(0)))
    assert (listener.said, watch.awaited()) == ([], ([], RETRY / SECOND))
    watch.open()
    assert len(listener.said) == 1
    assert watch.awaited()[1] is None


def test_a_source_that_cannot_be_is_trouble_once() -> None:
    def refuse() -> FakeSource:
        raise OSError(38, "Function not implemented")

    watch, listener = watching(Slot("files", refuse))
    watch.open()
    assert listener.said == [Trouble(0, "cannot watch files: Function not implemented")]
    assert watch.awaited()[1] is None


def test_a_source_that_ends_has_lost_something_when_it_is_opened_anew() -> None:
    ended = FakeSource(OSError(104, "Connection reset"))
    found: list[FakeSource | None] = [ended, None, FakeSource()]
    watch, listener = watching(Slot("x", lambda: found.pop(0)))
    watch.read({FD})
    assert (ended.is_closed, watch.awaited()[1]) == (True, RETRY / SECOND)
    watch.open()
    assert len(listener.occurred()) == 1
    watch.open()
    told = listener.occurred()[-1].occurrences
    assert [(type(o), o.source) for o in told if isinstance(o, Lost | Watching)] == [
        (Lost, Source.EXECS),
        (Lost, Source.STARTS),
        (Watching, Source.EXECS),
        (Watching, Source.STARTS),
    ]


def test_a_source_that_does_not_come_back_has_lost_something_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.probe.watch.GRACE", 0)
    found: list[FakeSource | None] = [FakeSource(OSError(104, "Connection reset")), None, None]
    watch, listener = watching(Slot("x", lambda: found.pop(0)))
    watch.read({FD})
    watch.open()
    watch.open()
    assert [type(o) for o in listener.occurred()[-1].occurrences] == [Lost, Lost]
    assert len(listener.occurred()) == 2
