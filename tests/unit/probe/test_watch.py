# SPDX-License-Identifier: GPL-3.0-only
"""Sources come and go; what they tell is numbered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.model import codec
from harness.model.occurrence import Executed, Lost, Source, Watching
from harness.model.wire import Occurred, Said, Trouble
from harness.probe.watch import MOST_IN_A_LINE, RETRY_SECONDS, Slot, Watch

EXECUTED = {"type": "executed", "at": 1, "pid": 1, "exe": "/x"}


class FakeSource:
    """Gives a list at each reading, or ends at an error."""

    def __init__(self, *readings: list[dict[str, Any]] | OSError) -> None:
        self.descriptors = [5]
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
    assert (watch.descriptors, watch.patience) == ([5], None)


def test_what_happened_is_told_in_numbered_lines_of_some_length() -> None:
    source = FakeSource([EXECUTED] * (MOST_IN_A_LINE + 1))
    watch, listener = watching(Slot("x", lambda: source))
    watch.read()
    watch.read()
    lines = listener.occurred()
    assert [line.number for line in lines] == [1, 2, 3]
    assert [len(line.occurrences) for line in lines] == [2, MOST_IN_A_LINE, 1]


def test_the_most_urgent_source_is_read_between_the_others() -> None:
    urgent = FakeSource(*([{**EXECUTED, "pid": 100 + n}] for n in range(3)))
    slots = [Slot("a", lambda: urgent)]
    slots += [Slot("b", lambda n=n: FakeSource([{**EXECUTED, "pid": n}])) for n in (1, 2)]  # type: ignore[misc]
    watch, listener = watching(*slots)
    watch.read()
    told = [o.pid for o in listener.occurred()[-1].occurrences if isinstance(o, Executed)]
    assert told == [100, 1, 101, 2, 102]


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


def test_a_source_that_ends_has_lost_something_and_is_opened_anew() -> None:
    ended = FakeSource(OSError(104, "Connection reset"))
    found = [ended, FakeSource()]
    watch, listener = watching(Slot("x", lambda: found.pop(0)))
    watch.read()
    lost = listener.occurred()[-1].occurrences
    assert [(type(o), o.source) for o in lost if isinstance(o, Lost)] == [
        (Lost, Source.EXECS),
        (Lost, Source.STARTS),
    ]
    assert ended.is_closed
    assert watch.patience == RETRY_SECONDS
    watch.open()
    assert isinstance(listener.occurred()[-1].occurrences[0], Watching)
