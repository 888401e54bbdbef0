# SPDX-License-Identifier: GPL-3.0-only
"""Findings on a page: the worst first, each with its author, its boot, and its evidence word for word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from harness.model.verdict import Evidence, Outcome
from harness.report.html_boots import anchor_of_line
from harness.report.markup import Content, Markup, element
from harness.report.numbered import Numbered

# What a run that ended early leaves open is alike, invariant by invariant; a page shows so many of each.
_MOST_ALIKE, _MOST_SHOWN, _MOST_EVIDENCE = 3, 200, 20


def findings(found: Sequence[Numbered], anchors: Collection[str]) -> Markup:
    """The section; `anchors` are the boots and the record's lines that the page shows elsewhere."""
    parts: list[Content] = [element("h2", "Findings")]
    if not found:
        parts.append(element("p", "None: nothing was proven."))
    for outcome, of_outcome in groupby(found, key=lambda one: one.finding.outcome):
        shown = list(of_outcome)
        if outcome == Outcome.HELD:
            parts.append(_folded(f"{len(shown)} HELD: what was shown to be right", shown, anchors))
        else:
            parts += _open(shown, anchors)
    return element("section", *parts, id="findings")


def _open(found: Sequence[Numbered], anchors: Collection[str]) -> Iterator[Markup]:
    """Those that matter, and behind a fold those that only repeat them."""
    told = Counter[tuple[str, str]]()
    more: list[Numbered] = []
    for count, one in enumerate(found):
        alike = one.finding.invariant, one.finding.kind
        told[alike] += 1
        repeats = one.finding.outcome == Outcome.UNPROVEN and told[alike] > _MOST_ALIKE
        if repeats or count - len(more) >= _MOST_SHOWN:
            more.append(one)
        else:
            yield _finding(one, anchors)
    if more:
        yield _folded(f"{len(more)} more {more[0].finding.outcome} like these", more, anchors)


def _folded(summary: str, found: Sequence[Numbered], anchors: Collection[str]) -> Markup:
    shown = [_finding(one, anchors) for one in found[:_MOST_SHOWN]]
    if len(found) > _MOST_SHOWN:
        shown.append(element("p", f"{len(found) - _MOST_SHOWN} more are in verdict.json.", class_="soft"))
    return element("details", element("summary", summary), *shown)


def _finding(one: Numbered, anchors: Collection[str]) -> Markup:
    finding = one.finding
    heading = element(
        "h3", element("span", finding.outcome.value, class_="word"), f" {finding.subject}: {finding.kind}"
    )
    author = f", policy made by {finding.author}" if finding.author else ""
    about = element(
        "p",
        _boot(finding.boot, anchors),
        f"{author} · {finding.invariant} · finding {one.number}",
        class_="soft small",
    )
    return element(
        "article",
        heading,
        about,
        element("p", finding.summary),
        _evidence(one, anchors),
        class_=f"finding {finding.outcome.value}",
        id=f"f{one.number}",
    )


def _boot(number: int, anchors: Collection[str]) -> Content:
    if not number:
        return "the whole run"
    words, anchor = f"boot {number}", f"b{number}"
    return element("a", words, href=f"#{anchor}") if anchor in anchors else words


def _evidence(one: Numbered, anchors: Collection[str]) -> Markup:
    evidence = one.finding.evidence
    if not evidence:
        return element(
            "p", "It rests on what is not in the record, so there is no line to show.", class_="soft small"
        )
    items = [
        element(
            "li", _place(each, anchors), " ", element("span", each.says, class_="q"), id=f"f{one.number}e{n}"
        )
        for n, each in enumerate(evidence[:_MOST_EVIDENCE], start=1)
    ]
    if len(evidence) > _MOST_EVIDENCE:
        items.append(element("li", f"{len(evidence) - _MOST_EVIDENCE} more lines are in verdict.json"))
    return element("ol", *items)


def _place(evidence: Evidence, anchors: Collection[str]) -> Markup:
    place = f"{evidence.file}:{evidence.line}"
    anchor = anchor_of_line(place)
    if anchor in anchors:
        return element("a", element("code", place), href=f"#{anchor}")
    return element("code", place)
