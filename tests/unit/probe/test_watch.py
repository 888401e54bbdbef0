# SPDX-License-Identifier: GPL-3.0-only
"""Sources come and go; what they tell is numbered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from harness.model import codec
from harness.model.occurrence import Executed, Lost, Source, Watching
from harness.model.wire import Occurred, Said, Trouble
from harness.probe.watch import MOST_IN_A_LINE, RETRY_SECONDS, SECOND, Slot, Watch

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
    assert (watch.descriptors, watch.patience) == ([FD], None)


def test_what_happened_is_told_in_numbered_lines_of_some_length() -> None:
    source = FakeSource([EXECUTED] * (MOST_IN_A_LINE + 1))
    watch, listener = watching(Slot("x", lambda: source))
    watch.read({FD})
    watch.read({FD})
    lines = listener.occurred()
    assert [line.number for line in lines] == [1, 2, 3]
    assert [len(line.occurrences) for line in lines] == [2, MOST_IN_A_LINE, 1]
    assert watch.told == len(lines)


def test_the_most_urgent_source_is_read_between_the_others() -> None:
    urgent = FakeSource(*([{**EXECUTED, "pid": 100 + n}] for n in range(3)))
    slots = [Slot("a", lambda: urgent)]
    slots += [Slot("b", lambda n=n: FakeSource([{**EXECUTED, "pid": n}])) for n in (1, 2)]  # type: ignore[misc]
    watch, listener = watching(*slots)
    watch.read({FD})
    told = [o.pid for o in listener.occurred()[-1].occurrences if isinstance(o, Executed)]
    assert told == [100, 1, 101, 2, 102]


def test_a_source_that_is_not_ready_is_not_read() -> None:
    watch, listener = watching(Slot("x", lambda: FakeSource([EXECUTED])))
    watch.read({FD + 1})
    assert len(listener.occurred()) == 1


@pytest.mark.parametrize(("took", "rests"), [(0, 0), (3, 60), (5, 100), (7, 100)])
def test_a_source_rests_as_long_as_its_reading_was_dear(
    took: int, rests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = slow_clock(monkeypatch)
    source = FakeSource()
    monkeypatch.setattr(source, "read", lambda: now.append(now[-1] + took * SECOND) or [])
    watch, _ = watching(Slot("x", lambda: source, rest=100))
    assert watch.descriptors == [FD]
    watch.read({FD})
    assert watch.descriptors == ([] if rests else [FD])
    assert watch.patience == (rests or None)
    now.append(now[-1] + rests * SECOND)
    assert (watch.descriptors, watch.patience) == ([FD], None)


def test_an_urgent_source_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = slow_clock(monkeypatch)
    source = FakeSource()
    source.is_urgent = True
    monkeypatch.setattr(source, "read", lambda: now.append(now[-1] + SECOND) or [])
    watch, _ = watching(Slot("x", lambda: source, rest=100))
    watch.read({FD})
    assert (watch.descriptors, watch.patience) == ([FD], None)


def slow_clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The guest's clock, which shows what was appended last."""
    now = [0]
    monkeypatch.setattr("harness.probe.watch.guest_time", lambda: now[-1])
    return now


def test_a_source_that_is_not_there_yet_is_tried_again() -> None:
    found: list[FakeSource | None] = [None, FakeSource()]
    watch, listener = watching(Slot("x", lambda: found.pop(0)))
    assert (listener.said, watch.descriptors, watch.patience) == ([], [], RETRY_SECONDS)
    watch.open()
    assert len(listener.said) == 1
    assert watch.patience is None


def test_a_source_that_cannot_be_is_trouble_once() -> None:
    def refuse() -> FakeSource:
        raise OSError(38, "Function not implemented")

    watch, listener = watching(Slot("files", refuse))
    watch.open()
    assert listener.said == [Trouble(0, "cannot watch files: Function not implemented")]
    assert watch.patience is None


def test_a_source_that_ends_has_lost_something_when_it_is_opened_anew() -> None:
    ended = FakeSource(OSError(104, "Connection reset"))
    found: list[FakeSource | None] = [ended, None, FakeSource()]
    watch, listener = watching(Slot("x", lambda: found.pop(0)))
    watch.read({FD})
    assert (ended.is_closed, watch.patience) == (True, RETRY_SECONDS)
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
