# SPDX-License-Identifier: GPL-3.0-only
"""The part of a boot around what is violated, where a whole boot's width shows it in a few pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness.model.clock import SECOND, GuestTime
from harness.report import lane_of_snapd
from harness.report.strip import Bar, Edge, Lane, Mark, Strip

# A part that takes more of the boot than this is clear enough in the whole picture.
_LARGEST_PART = 0.25
_LEAST_MARGIN = SECOND // 4


def close_up(strip: Strip) -> Strip | None:
    """What lies around the violated starts and the snapd nearest to them; None where nobody needs it."""
    moments = list(_moments(strip))
    if not moments:
        return None
    margin = max((max(moments) - min(moments)) // 8, _LEAST_MARGIN)
    since, until = max(0, min(moments) - margin), min(strip.until, max(moments) + margin)
    if until - since > _LARGEST_PART * strip.until:
        return None
    return _part(strip, GuestTime(since), GuestTime(until))


def _moments(strip: Strip) -> Iterator[GuestTime]:
    begun = [bar.since for lane in strip.lanes if lane.name == lane_of_snapd.NAME for bar in lane.bars]
    for lane in strip.lanes:
        for bar in lane.bars:
            if bar.finding:
                yield bar.since
                yield from _nearest(begun, bar.since)
    yield from (edge.since for edge in strip.edges if edge.broken and edge.since is not None)


def _nearest(begun: Iterable[GuestTime], to: GuestTime) -> Iterator[GuestTime]:
    yield from sorted(begun, key=lambda at: abs(at - to))[:1]


def _part(strip: Strip, since: GuestTime, until: GuestTime) -> Strip:
    edges = tuple(_edges(strip.edges, since, until))
    ends = {name for edge in edges for name in (edge.lane, edge.to_lane)}
    lanes = (_lane(lane, since, until) for lane in strip.lanes)
    shown = tuple(lane for lane in lanes if lane.marks or lane.bars or lane.name in ends)
    return replace(strip, since=since, until=until, lanes=shown, edges=edges, notes=())


def _edges(edges: Iterable[Edge], since: GuestTime, until: GuestTime) -> Iterator[Edge]:
    for edge in edges:
        if since <= edge.until <= until:
            before = edge.since is None or edge.since < since
            yield replace(edge, since=None) if before else edge


def _lane(lane: Lane, since: GuestTime, until: GuestTime) -> Lane:
    marks = tuple(mark for mark in lane.marks if _inside(mark, since, until))
    bars = tuple(
        replace(bar, since=max(bar.since, since), until=min(bar.until, until))
        for bar in lane.bars
        if _overlaps(bar, since, until)
    )
    return replace(lane, marks=marks, bars=bars)


def _inside(mark: Mark, since: GuestTime, until: GuestTime) -> bool:
    return since <= mark.at <= until


def _overlaps(bar: Bar, since: GuestTime, until: GuestTime) -> bool:
    return bar.since <= until and bar.until >= since
