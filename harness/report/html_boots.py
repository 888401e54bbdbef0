# SPDX-License-Identifier: GPL-3.0-only
"""Each boot on a page: its picture, and the same in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from harness.model.timeline import BootRecord, Timeline
from harness.report.html_svg import Authors, drawing
from harness.report.html_symbols import legend
from harness.report.html_table import table
from harness.report.markup import Content, Markup, element
from harness.report.starts import Start, describe, telling
from harness.report.strip import Bar, Edge, Mark, Strip, counted, seconds
from harness.report.strips import Strips

# Rows of all boots' lists, and of one: what keeps a page small.
_MOST_ROWS, _MOST_ROWS_OF_BOOT = 2400, 400
_MOST_STARTS = 100

_LINE = re.compile(r"(witness\.jsonl|events\.jsonl|console\.log):(\d{1,12})")
_LETTERS = {"witness.jsonl": "w", "events.jsonl": "e", "console.log": "c"}

_Moment: TypeAlias = tuple[int, str, Mark | Bar]


@dataclass(frozen=True, slots=True)
class Shown:
    """The section, and the anchors in it: of boots, and of lines of the record."""

    markup: Markup
    anchors: frozenset[str]


def anchor_of_line(place: str) -> str:
    """The id of the row that shows a line of the record, empty when no row can: letters and digits only."""
    found = _LINE.fullmatch(place)
    return f"{_LETTERS[found[1]]}{found[2]}" if found else ""


def boots(timeline: Timeline, drawn: Strips, authors: Authors) -> Shown:
    """A part for each boot, under one legend."""
    anchors = {f"b{strip.boot}" for strip in drawn.boots}
    most = min(_MOST_ROWS_OF_BOOT, max(20, _MOST_ROWS // max(1, len(drawn.boots))))
    parts: list[Content] = [element("h2", "Boots")]
    if drawn.boots:
        parts += [
            element("p", "Each on its own clock, from its kernel's start.", class_="soft"),
            legend(dict(authors)),
        ]
    else:
        parts.append(element("p", "The machine never started."))
    for boot, strip in zip(timeline.boots, drawn.boots, strict=True):
        parts.append(_boot(boot, strip, drawn, authors, anchors, most))
    return Shown(element("section", *parts, id="boots"), frozenset(anchors))


def _boot(
    boot: BootRecord,
    strip: Strip,
    drawn: Strips,
    authors: Authors,
    anchors: set[str],
    most: int,
) -> Markup:
    ended = boot.ended or "the end of the run"
    boot_id = f" · id {boot.boot_id}" if boot.boot_id else ""
    about = f"it began: {boot.cause}; it ended: {ended} · {seconds(strip.until)}{boot_id}"
    return element(
        "section",
        element("h3", f"Boot {boot.number}"),
        element("p", about, class_="soft small"),
        element("figure", drawing(strip, authors)),
        *_close_up(drawn.close_ups.get(boot.number), authors),
        *(
            [element("ul", *(element("li", note) for note in strip.notes), class_="notes")]
            if strip.notes
            else []
        ),
        _starts(strip, drawn.starts[boot.number]),
        _moments(strip, anchors, most),
        id=f"b{boot.number}",
    )


def _close_up(part: Strip | None, authors: Authors) -> Iterator[Markup]:
    if part:
        caption = f"Closer: {seconds(part.since)} to {seconds(part.until)}, around what is violated"
        yield element("figure", element("figcaption", caption, class_="soft small"), drawing(part, authors))


def _starts(strip: Strip, starts: Sequence[Start]) -> Markup:
    if not starts:
        return element("p", "No start of a service was seen in this boot.", class_="soft small")
    rows = [_start(start, strip.edges) for start in telling(starts, _MOST_STARTS)]
    more = f"; {len(starts) - _MOST_STARTS} more are left out here" if len(starts) > _MOST_STARTS else ""
    caption = f"{counted(len(starts), 'start')} of services in boot {strip.boot}{more}"
    return table(caption, ("second", "service", "class", "runs under"), rows)


def _start(start: Start, edges: Sequence[Edge]) -> Markup:
    judged = start.kind or "not judged by itself"
    kind: Content = judged
    if start.finding:
        bad = "bad" if start.violated else None
        kind = element("a", judged, href=f"#f{start.finding.number}", class_=bad)
    when = f"{seconds(start.at)}{' (forked)' if start.seen_late else ''}"
    return element(
        "tr",
        element("td", when, class_="n"),
        element("th", start.tag, element("div", f"process {start.pid}", class_="soft small"), scope="row"),
        element("td", kind, data_name="class"),
        element("td", *_policy_of(start, edges), data_name="runs under"),
    )


def _policy_of(start: Start, edges: Sequence[Edge]) -> Iterator[Markup]:
    """Each part of its policy, with where it was made when that is known."""
    made = {edge.lane: edge for edge in edges if (edge.to_lane, edge.until) == (start.tag, start.at)}
    for lane, says in describe(start):
        edge = made.get(lane)
        if edge:
            yield element("div", edge.says, class_="bad" if edge.broken else None)
        else:
            yield element("div", says)


def _moments(strip: Strip, anchors: set[str], most: int) -> Markup:
    moments = sorted(_all(strip), key=lambda moment: moment[0])
    rows = [_moment(moment, anchors) for moment in moments[:most]]
    left = sum(lane.left_out for lane in strip.lanes) + len(moments) - len(rows)
    more = f"; {left} more are left out here" if left else ""
    summary = element("summary", f"All of boot {strip.boot} in words: {counted(len(rows), 'moment')}{more}")
    moments_table = table(f"What happened in boot {strip.boot}", ("second", "lane", "what", "record"), rows)
    return element("details", summary, moments_table)


def _all(strip: Strip) -> Iterator[_Moment]:
    for lane in strip.lanes:
        yield from ((mark.at, lane.name, mark) for mark in lane.marks)
        told = {(mark.at, mark.says) for mark in lane.marks}
        yield from ((bar.since, lane.name, bar) for bar in lane.bars if (bar.since, bar.says) not in told)


def _moment(moment: _Moment, anchors: set[str]) -> Markup:
    at, lane, what = moment
    about = "about " if what.approximate else ""
    anchor = anchor_of_line(what.place)
    first = anchor and anchor not in anchors
    anchors.add(anchor)
    until = f" (until {seconds(what.until)})" if isinstance(what, Bar) else ""
    said = element("a", what.says, href=f"#f{what.finding}", class_="bad") if what.finding else what.says
    return element(
        "tr",
        element("td", f"{about}{seconds(at)}", class_="n"),
        element("td", lane, class_="k"),
        element("td", said, until),
        element("td", element("code", what.place), class_="place"),
        id=anchor if first else None,
    )
