# SPDX-License-Identifier: GPL-3.0-only
"""Keeps a lane readable, however much happened: what lies within a pixel is one mark, and there is a most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.model.clock import GuestTime
from harness.report.strip import Bar, Lane, Mark, Shape, seconds

PIXELS = 1000
"""How many places of a strip a reader can tell apart."""

_NEVER_MERGED = (Shape.STARTED, Shape.FAILED, Shape.TROUBLE)


def thinned(lane: Lane, until: GuestTime, most: int) -> Lane:
    """The lane with at most `most` marks and as many bars; the rest is counted in `left_out`."""
    marks = _merged(lane.marks, until // PIXELS)
    kept, bars = _first(marks, most), _first_bars(lane.bars, most)
    dropped = sum(mark.count for mark in marks) - sum(mark.count for mark in kept)
    return Lane(lane.name, kept, bars, lane.left_out + dropped + len(lane.bars) - len(bars))


def _merged(marks: Iterable[Mark], pixel: int) -> list[Mark]:
    """Marks of one shape, author and place within a pixel as one that tells the first and the number."""
    groups: list[list[Mark]] = []
    open_group: dict[tuple[Shape, str], list[Mark]] = {}
    for mark in marks:
        key = mark.shape, mark.author
        group = open_group.get(key)
        alone = mark.shape in _NEVER_MERGED or mark.finding
        if group is None or alone or mark.at - group[0].at >= pixel:
            group = open_group[key] = []
            groups.append(group)
        group.append(mark)
    return [_one(group) for group in groups]


def _one(group: Sequence[Mark]) -> Mark:
    first, last = group[0], group[-1]
    if len(group) == 1:
        return first
    says = f"{first.says}; and {len(group) - 1} more like it until {seconds(last.at)}, the last: {last.says}"
    return replace(first, says=says, count=sum(mark.count for mark in group))


def _first(marks: Sequence[Mark], most: int) -> tuple[Mark, ...]:
    """What a finding is about before starts and failures, those before the rest, each the earliest first."""
    if len(marks) <= most:
        return tuple(marks)
    ordered = sorted(range(len(marks)), key=lambda i: (_rank(marks[i]), i))
    return tuple(marks[i] for i in sorted(ordered[:most]))


def _rank(mark: Mark) -> int:
    return 0 if mark.finding else 1 if mark.shape in _NEVER_MERGED else 2


def _first_bars(bars: Sequence[Bar], most: int) -> tuple[Bar, ...]:
    if len(bars) <= most:
        return tuple(bars)
    ordered = sorted(range(len(bars)), key=lambda i: (not bars[i].finding, i))
    return tuple(bars[i] for i in sorted(ordered[:most]))
