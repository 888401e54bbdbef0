# SPDX-License-Identifier: GPL-3.0-only
"""A strip as SVG that is as wide as there is room: places are per cent, and text keeps its size.

The picture has a text beside it that says the same (harness.report.html_boots), so it is one image to
those who do not see it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.model.clock import SECOND, GuestTime
from harness.report.html_symbols import symbol_id
from harness.report.markup import Markup, element, empty, joined
from harness.report.starts import UNKNOWN
from harness.report.strip import Bar, Edge, Lane, Mark, Stretch, Strip, seconds

_AXIS, _NAME, _SAYS, _TRACK, _GAP = 22, 17, 14, 18, 5
_LEFT, _WIDTH = 1.6, 96.8  # per cent: marks at both ends stay inside
_NARROWEST_LABEL = 2.5  # per cent of the width
_MOST_TICKS = 10
_MOST_LABELS = 6

Authors = Mapping[str, int]
"""The colour of each snapd, by name."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A lane's place from the top: of its name, of what its broken arrows say, and of its track's middle."""

    lane: Lane
    top: int
    says: tuple[Edge, ...]

    @property
    def middle(self) -> int:
        return self.top + _NAME + _SAYS * len(self.says) + _TRACK // 2

    @property
    def bottom(self) -> int:
        return self.middle + _TRACK // 2 + _GAP


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A strip with its rows placed."""

    strip: Strip
    rows: tuple[_Row, ...]
    authors: Authors

    def x(self, at: int) -> float:
        """The place of a time, in per cent."""
        return _LEFT + _WIDTH * (at - self.strip.since) / (self.strip.until - self.strip.since)

    def row(self, name: str) -> _Row | None:
        return next((row for row in self.rows if row.lane.name == name), None)

    def colour(self, author: str) -> str:
        """The class of an author; of several that make the same, the first that has a colour."""
        known = (self.authors[name] for name in author.split("/") if name in self.authors)
        return f"a{next(known, 0)}"


def drawing(strip: Strip, authors: Authors) -> Markup:
    """The picture, with its name and a sentence that says what is on it."""
    rows = tuple(_rows(strip))
    height = rows[-1].bottom if rows else _AXIS
    placed = _Drawing(strip, rows, authors)
    part = "-part" if strip.since else ""
    title, described = f"title-{strip.boot}{part}", f"desc-{strip.boot}{part}"
    span = f"from {seconds(strip.since)} to {seconds(strip.until)}"
    parts = [
        element("title", f"Boot {strip.boot} on its own clock, {span}", id=title),
        element("desc", _described(strip), id=described),
        *_axis(placed, height),
        *(_lane(row, placed) for row in rows),
        *(_edge(edge, placed) for edge in sorted(strip.edges, key=lambda edge: edge.broken)),
        *(_name(row) for row in rows),
        *(_marks(row, placed) for row in rows),
        *(_says(row, placed) for row in rows),
    ]
    named = {"aria_labelledby": f"{title} {described}"}
    return element("svg", *parts, class_="strip", role="img", height=height, **named)


def _rows(strip: Strip) -> Iterator[_Row]:
    top = _AXIS
    for lane in strip.lanes:
        broken = [edge for edge in strip.edges if edge.broken and edge.to_lane == lane.name]
        row = _Row(lane, top, tuple(broken[:_MOST_LABELS]))
        yield row
        top = row.bottom


def _described(strip: Strip) -> str:
    lanes = ", ".join(f"{lane.name}: {len(lane.marks)} marks, {len(lane.bars)} bars" for lane in strip.lanes)
    broken = "; ".join(edge.says for edge in strip.edges if edge.broken)
    return (
        f"Lanes: {lanes}. {f'Violated: {broken}. ' if broken else ''}The lists below say the same in words."
    )


def _axis(placed: _Drawing, height: int) -> Iterator[Markup]:
    for index, at in enumerate(ticks(placed.strip.since, placed.strip.until)):
        x = f"{placed.x(at):.2f}%"
        yield empty("line", class_="grid", x1=x, x2=x, y1=_AXIS - 5, y2=height)
        anchor = "start" if at == 0 else "end" if placed.x(at) > 97 else "middle"
        rare = " wide" if index % 2 else ""
        label = f"{at / SECOND:g} s"
        yield element("text", label, class_=f"tick{rare}", x=x, y=_AXIS - 9, text_anchor=anchor)


def ticks(since: GuestTime, until: GuestTime) -> range:
    """Round times, at most ten steps of them."""
    steps = (10**power * factor for power in itertools.count(7) for factor in (1, 2, 5))
    step = next(step for step in steps if until - since <= step * _MOST_TICKS)
    return range(-(-since // step) * step, until + 1, step)


def _lane(row: _Row, placed: _Drawing) -> Markup:
    track = empty("rect", class_="track", x="0", y=row.middle - 1, width="100%", height=2)
    return joined((track, *(_bar(bar, row, placed) for bar in row.lane.bars)))


def _name(row: _Row) -> Markup:
    return element("text", row.lane.name, class_="name", x="1%", y=row.top + 12)


def _bar(bar: Bar, row: _Row, placed: _Drawing) -> Markup:
    left, right = placed.x(bar.since), placed.x(bar.until)
    width = max(right - left, 0.15)
    where: dict[str, str | int] = {
        "x": f"{left:.2f}%",
        "y": row.middle - _TRACK // 2,
        "width": f"{width:.2f}%",
        "height": _TRACK,
    }
    about = " about" if bar.approximate and bar.stretch != Stretch.STEP else ""
    wrong = " wrong" if bar.finding else ""
    told = element("title", f"{seconds(bar.since)} to {seconds(bar.until)}: {bar.says}")
    shape = element(
        "rect", told, class_=f"bar {bar.stretch}{about}{wrong} {placed.colour(bar.author)}", **where
    )
    if width < _NARROWEST_LABEL:
        return shape
    text = element("text", _label(bar), class_="label", x=8, y=_TRACK - 5)
    return joined((shape, element("svg", text, **where)))


def _label(bar: Bar) -> str:
    match bar.stretch:
        case Stretch.STEP:
            return bar.says
        case Stretch.STARTING:
            return f"{bar.author} starting"
        case Stretch.READY:
            return f"{bar.author} ready"
        case Stretch.SEEN:
            return bar.author
        case Stretch.WAITING:
            return "waiting"
        case Stretch.HELD:
            return "held"
        case Stretch.RUNNING:
            return f"   {'VIOLATED: ' if bar.finding else ''}policy of {bar.author or UNKNOWN}"


def _marks(row: _Row, placed: _Drawing) -> Markup:
    return joined(_mark(mark, row.middle, placed) for mark in row.lane.marks)


def _mark(mark: Mark, y: int, placed: _Drawing) -> Markup:
    told = element("title", f"{'about ' if mark.approximate else ''}{seconds(mark.at)}: {mark.says}")
    far = " far" if mark.approximate else ""
    guilty = " guilty" if mark.finding else ""
    classes = f"{mark.shape.name}{far}{guilty} {placed.colour(mark.author)}"
    return element(
        "use", told, href=f"#{symbol_id(mark.shape)}", class_=classes, x=f"{placed.x(mark.at):.2f}%", y=y
    )


def _edge(edge: Edge, placed: _Drawing) -> Markup:
    start, end = placed.row(edge.lane), placed.row(edge.to_lane)
    if start is None or end is None:
        return Markup("")
    y1 = start.middle
    y2 = end.middle - _TRACK // 2 if y1 < end.middle else end.middle + _TRACK // 2
    kind = " broken" if edge.broken else " old" if edge.since is None else ""
    x1 = "0" if edge.since is None else f"{placed.x(edge.since):.2f}%"
    return element(
        "line",
        element("title", edge.says),
        class_=f"edge{kind} {placed.colour(edge.author)}",
        x1=x1,
        y1=y1,
        x2=f"{placed.x(edge.until):.2f}%",
        y2=y2,
        marker_end="url(#head-broken)" if edge.broken else "url(#head)",
    )


def _says(row: _Row, placed: _Drawing) -> Markup:
    return joined(part for n, edge in enumerate(row.says) for part in _label_of(edge, n, row, placed))


def _label_of(edge: Edge, number: int, row: _Row, placed: _Drawing) -> Sequence[Markup]:
    """What a broken arrow says, above the track it ends at: beside its end, or from the left when narrow."""
    x = placed.x(edge.until)
    y = row.top + _NAME + _SAYS * (number + 1) - 3
    right = x > 50
    place: dict[str, str | int] = {
        "x": f"{x:.2f}%",
        "dx": -6 if right else 6,
        "text_anchor": "end" if right else "start",
    }
    wide = element("text", edge.says, class_="says wide", y=y, **place)
    narrow = element("text", edge.brief, class_="says narrow", y=y, x="1%")
    return wide, narrow
