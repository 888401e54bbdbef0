# SPDX-License-Identifier: GPL-3.0-only
"""A run as one HTML page that needs nothing else: no script, no style sheet, no picture from elsewhere."""

from __future__ import annotations

from harness.model.event import RunOpened
from harness.model.timeline import Timeline
from harness.model.verdict import Verdict
from harness.policy.knowledge import Knowledge
from harness.report.html_boots import boots
from harness.report.html_facts import facts
from harness.report.html_findings import findings
from harness.report.html_head import head, word_of
from harness.report.html_style import AUTHORS, STYLE
from harness.report.html_svg import Authors
from harness.report.html_symbols import definitions
from harness.report.markup import Markup, element, empty
from harness.report.numbered import numbered
from harness.report.strips import strips

# What is from the guest is text and nothing else; should that ever fail, a browser runs and fetches nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render(timeline: Timeline, verdict: Verdict) -> str:
    """The page, ASCII and UTF-8 at once as long as the run's own words are."""
    known = Knowledge.of(timeline)
    found = numbered(verdict)
    drawn = strips(timeline, known, found)
    of_boots = boots(timeline, drawn, authors(timeline, known))
    body = element(
        "body",
        definitions(),
        head(timeline, verdict, found, drawn),
        element("main", findings(found, of_boots.anchors), of_boots.markup, *facts(timeline)),
        _foot(timeline),
    )
    page = element("html", _head_of(timeline, verdict), body, lang="en")
    return f"<!DOCTYPE html>\n{page.html}\n"


def authors(timeline: Timeline, known: Knowledge) -> Authors:
    """A colour for each snapd of the run, in the order of the plan's cores, then of their builds."""
    cores = [ref.entry for ref in timeline.plan.snaps if ref.is_core]
    names = dict.fromkeys((*cores, *(known.builds.name(build) for build in sorted(known.builds.cores))))
    return {name: n if n <= AUTHORS else 0 for n, name in enumerate(names, start=1)}


def _head_of(timeline: Timeline, verdict: Verdict) -> Markup:
    return element(
        "head",
        empty("meta", charset="utf-8"),
        empty("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        empty("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        empty("meta", name_="referrer", content="no-referrer"),
        empty("meta", name_="color-scheme", content="light dark"),
        element("title", f"{word_of(verdict)} {timeline.plan.title}"),
        element("style", Markup(STYLE)),
    )


def _foot(timeline: Timeline) -> Markup:
    opened = next((e.event for e in timeline.events if isinstance(e.event, RunOpened)), None)
    version = f" {opened.harness}" if opened else ""
    text = (
        f"Recorded with harness{version}. Made from the run directory alone; harness report makes it again."
    )
    return element("footer", text)
