# SPDX-License-Identifier: GPL-3.0-only
"""Keeps a lane readable, however much happened: what lies within a pixel is one mark, and there is a most.

Where there are still too many, marks of a wider and wider place become one, those that matter last of all;
so a crowded lane shows less of each moment, and not less of the boot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from harness.report.strip import Bar, Lane, Mark, Shape, seconds

PIXELS = (1000, 500, 250, 100, 50)
"""How many places of a strip are told apart: as many as a reader can, then fewer."""

_MATTERS = frozenset((Shape.STARTED, Shape.FAILED, Shape.TROUBLE))


def thinned(lane: Lane, span: int, most: int) -> Lane:
    """The lane, `span` long, with at most `most` marks and as many bars; the rest is in `left_out`."""
    marks = _few(lane.marks, span, most)
    kept, bars = marks[:most], _longest(lane.bars, most)
    dropped = sum(mark.count for mark in marks[most:]) + len(lane.bars) - len(bars)
    return Lane(lane.name, tuple(kept), bars, lane.left_out + dropped)


def _few(marks: Sequence[Mark], span: int, most: int) -> list[Mark]:
    """The marks merged as little as it takes; those of findings come first when even that is too many."""
    merged: list[Mark] = []
    for width, alone in _ways():
        merged = list(_merged(marks, span // width, alone))
        if len(merged) <= most:
            return merged
    return sorted(merged, key=lambda mark: not mark.finding)


def _ways() -> Iterator[tuple[int, Collection[Shape]]]:
    yield from ((width, _MATTERS) for width in PIXELS)
    yield from ((width, frozenset()) for width in PIXELS)


def _merged(marks: Iterable[Mark], pixel: int, alone: Collection[Shape]) -> Iterator[Mark]:
    """Marks of one shape and author within a pixel as one that tells the first, the last and the number."""
    groups: list[list[Mark]] = []
    growing: dict[tuple[Shape, str], list[Mark]] = {}
    for mark in marks:
        key = mark.shape, mark.author
        group = growing.get(key)
        if group is None or mark.shape in alone or mark.finding or mark.at - group[0].at >= pixel:
            group = []
            groups.append(group)
            if not mark.finding:
                growing[key] = group
        group.append(mark)
    return map(_one, groups)


def _one(group: Sequence[Mark]) -> Mark:
    first, last = group[0], group[-1]
    if len(group) == 1:
        return first
    says = f"{first.says}; and {len(group) - 1} more like it until {seconds(last.at)}, the last: {last.says}"
    return replace(first, says=says, count=sum(mark.count for mark in group))


def _longest(bars: Sequence[Bar], most: int) -> tuple[Bar, ...]:
    """The bars that findings are about, then the longest, in the order of time."""
    if len(bars) <= most:
        return tuple(bars)
    order = sorted(range(len(bars)), key=lambda i: (not bars[i].finding, bars[i].since - bars[i].until))
    return tuple(bars[i] for i in sorted(order[:most]))
