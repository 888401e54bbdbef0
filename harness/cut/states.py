# SPDX-License-Identifier: GPL-3.0-only
"""Which states a cut can leave: everything up to a flush, and all but one of the writes before it.

Between two flushes a disk may write in any order and lose anything of it, so 2^n states are possible for n
writes; the ones that lose exactly one are what a missing flush or a wrong order first shows in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.cut.write_log import Entry
from harness.errors import Mistake
from harness.model.sweep import Cut


@dataclass(frozen=True, slots=True)
class Epoch:
    """The writes that one flush makes durable, or those after the last flush.

    `number` is the flush's, from 1. Its entries are those from `first` on and before `end`.
    """

    number: int
    first: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which cuts to look at.

    `points` flushes, evenly spread, None for all. With `drop_one`, also each write of their epochs lost.
    Only cuts after entry `since` began and before entry `until` did, where a number is given: that is how
    a step of a run is named, by how many entries the log had before and after it.

    :raise Mistake: fewer than 2 points, or an empty part of the log.
    """

    points: int | None = None
    drop_one: bool = True
    since: int = 0
    until: int | None = None

    def __post_init__(self) -> None:
        if self.points is not None and self.points < 2:
            raise Mistake(f"cannot sweep over {self.points} cuts: there are two ends, so at least 2")
        if self.since < 0 or (self.until is not None and self.until < self.since):
            raise Mistake(f"cannot sweep over entries {self.since} to {self.until} of a log")


def epochs(entries: Sequence[Entry]) -> tuple[Epoch, ...]:
    """The log cut at its flushes; entries after the last flush make an epoch of their own.

    A flush that carries data flushes before it writes, so its data belong to the epoch after it.
    """
    found: list[Epoch] = []
    first = 0
    for entry in entries:
        if entry.flushes:
            found.append(Epoch(len(found) + 1, first, entry.number))
            first = entry.number if entry.writes else entry.number + 1
    if any(entry.writes for entry in entries[first:]):
        found.append(Epoch(len(found) + 1, first, len(entries)))
    return tuple(found)


def chosen_epochs(all_epochs: Sequence[Epoch], choice: Choice) -> tuple[Epoch, ...]:
    """The epochs whose ends are cuts; the first of them lies before the part that was asked for."""
    until = choice.until
    inside = [e for e in all_epochs if e.end >= choice.since and (until is None or e.first < until)]
    number = inside[0].number - 1 if inside else len(all_epochs)
    before = all_epochs[number - 1] if number else Epoch(0, 0, 0)
    points = [before, *inside]
    if choice.points is None or choice.points >= len(points):
        return tuple(points)
    last = len(points) - 1
    return tuple(points[round(i * last / (choice.points - 1))] for i in range(choice.points))


def cuts(entries: Sequence[Entry], chosen: Sequence[Epoch], choice: Choice) -> tuple[Cut, ...]:
    """Every state to look at, in the order in which it is best looked at if time is short."""
    whole = [Cut(epoch.number) for epoch in chosen]
    if not choice.drop_one:
        return tuple(whole)
    # The first epoch is the one before the part that was asked for.
    return (*whole, *(cut for epoch in chosen[1:] for cut in _dropping_one(entries, epoch)))


def _dropping_one(entries: Sequence[Entry], epoch: Epoch) -> Iterator[Cut]:
    for entry in entries[epoch.first : epoch.end]:
        if entry.writes and not entry.durable:
            yield Cut(epoch.number, entry.number)
