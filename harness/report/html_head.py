# SPDX-License-Identifier: GPL-3.0-only
"""The top of a page: how the run came out, what that means, and the way to everything below."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from urllib.parse import urlsplit

from harness.model.timeline import Timeline
from harness.model.verdict import Outcome, Verdict, worst
from harness.report import lane_of_snapd
from harness.report.kept_start import in_doubt
from harness.report.markup import Content, Markup, element, joined, shown
from harness.report.numbered import FROM_WORST, Numbered
from harness.report.strip import Strip
from harness.report.strips import Strips
from harness.scenario.perturb import describe

ERROR = "ERROR"

MEANING = {
    Outcome.HELD: "Everything that the scenario holds was measured, and it is so.",
    Outcome.UNPROVEN: "Nothing was shown to be wrong, but not everything was shown to be right: not a pass.",
    Outcome.VIOLATED: "Something that must hold was measured, and it is not so.",
}
NOT_MEASURED = "The run could not be carried out; what follows is what was found before it ended."

_MOST_ERROR_LINES, _MOST_CONSOLE_LINES = 60, 15

# How GuestFailed tells the console's last lines.
_CONSOLE_TOLD = "console| "

_MOST_BOOTS, _MOST_SNAPDS = 12, 6


def word_of(verdict: Verdict) -> str:
    """The word that a page is headed with."""
    return ERROR if verdict.error else verdict.outcome.value


def head(timeline: Timeline, verdict: Verdict, found: Sequence[Numbered], drawn: Strips) -> Markup:
    """The verdict in words, the run at a glance, and links."""
    word = word_of(verdict)
    return joined(
        (
            element(
                "header",
                element("h1", element("span", word, class_="word"), f" {verdict.scenario}"),
                element("p", timeline.plan.summary, class_="lead") if timeline.plan.summary else "",
                element("p", NOT_MEASURED if verdict.error else MEANING[verdict.outcome]),
                _error(verdict),
                _console(timeline, verdict),
                element("dl", *_facts(timeline, verdict, found), class_="facts"),
                class_=word,
            ),
            _at_a_glance(drawn.boots, found),
            _links(timeline),
        )
    )


def _error(verdict: Verdict) -> Content:
    """Why measuring failed, with the console's last lines when it ended there."""
    if not verdict.error:
        return ""
    lines = verdict.error.split("\n")
    told = [line for line in lines[:_MOST_ERROR_LINES] if line.strip()]
    if len(lines) > _MOST_ERROR_LINES:
        told.append(f"… and {len(lines) - _MOST_ERROR_LINES} more lines in verdict.json")
    return element("pre", *(part for line in told for part in (line, Markup("\n"))))


def _console(timeline: Timeline, verdict: Verdict) -> Content:
    """What the last boot said last, unless the error tells it already."""
    if not verdict.error or not timeline.boots or _CONSOLE_TOLD in verdict.error:
        return ""
    boot = timeline.boots[-1]
    if not boot.console:
        return element("p", f"The console of boot {boot.number} said nothing.", class_="soft")
    tail = boot.console[-_MOST_CONSOLE_LINES:]
    summary = element("summary", f"The last lines of the console, to console.log:{tail[-1].line}")
    lines = element("pre", *(part for line in tail for part in (line.text, Markup("\n"))))
    return element("details", summary, lines, open="open")


def _facts(timeline: Timeline, verdict: Verdict, found: Sequence[Numbered]) -> Iterator[Markup]:
    yield from _fact("Findings", _counts(found))
    if doubt := in_doubt(timeline, verdict):
        yield from _fact("Start", doubt)
    if verdict.control is not None:
        yield from _fact("Control", _control(verdict))
    if verdict.replicas:
        names = ", ".join(verdict.replicas)
        yield from _fact("Replicas", f"{names}: they re-create a release and are not it.")
    if timeline.plan.report:
        yield from _fact("Report", link(timeline.plan.report))
    if timeline.plan.perturbation:
        one = timeline.plan.perturbation
        yield from _fact("Repetition", f"{one.number} of seed {one.seed}: {describe(one)}")
    if timeline.plan.cut:
        cut = timeline.plan.cut
        states = f"{cut.states} state{'s' * (cut.states > 1)} of its disk"
        yield from _fact("Cut", f"{cut.cut} of {cut.recording}: {states} with this policy")
    if timeline.plan.variant:
        yield from _fact("Variant", ", ".join(f"{k} = {v}" for k, v in timeline.plan.variant.items()))


def _fact(name: str, value: Content) -> tuple[Markup, Markup]:
    return element("dt", name), element("dd", value)


def _counts(found: Sequence[Numbered]) -> Content:
    counts = Counter(one.finding.outcome for one in found)
    firsts: dict[Outcome, int] = {}
    for one in found:
        firsts.setdefault(one.finding.outcome, one.number)
    told: list[Content] = []
    for outcome in FROM_WORST:
        if counts[outcome]:
            told += [
                ", " if told else "",
                element("a", f"{counts[outcome]} {outcome}", href=f"#f{firsts[outcome]}"),
            ]
    return joined(told) if told else "none"


def _control(verdict: Verdict) -> Content:
    control = verdict.control
    if control is None:
        return ""
    if control.as_expected:
        return "came out as it must; this violation is seen."
    missing = (element("div", one) for one in control.missing)
    return joined(
        (element("span", "did NOT come out as it must; this violation is not seen:", class_="bad"), *missing)
    )


def link(url: str) -> Markup:
    """A link for what is http or https and names a host, else its text."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return element("span", url, class_="q")
    # A browser drops controls and spaces from an address, so that one with any means another than it shows.
    if parts.scheme in ("http", "https") and parts.netloc and shown(url) == url and " " not in url:
        return element("a", url, href=url, rel="noreferrer noopener")
    return element("span", url, class_="q")


def _at_a_glance(boots: Sequence[Strip], found: Sequence[Numbered]) -> Content:
    if not boots:
        return ""
    outcomes: dict[int, list[Outcome]] = defaultdict(list)
    for one in found:
        outcomes[one.finding.boot].append(one.finding.outcome)
    items = [_boot(strip, outcomes[strip.boot]) for strip in boots[:_MOST_BOOTS]]
    if len(boots) > _MOST_BOOTS:
        items.append(element("li", f"and {len(boots) - _MOST_BOOTS} more boots"))
    return element("ol", *items, class_="run")


def _boot(strip: Strip, outcomes: Sequence[Outcome]) -> Markup:
    runs = (
        bar.author or "unknown"
        for lane in strip.lanes
        if lane.name == lane_of_snapd.NAME
        for bar in lane.bars
    )
    ran = [name for name, _ in groupby(runs)]
    snapd = f"snapd {', then '.join(ran[:_MOST_SNAPDS])}" if ran else "no snapd was seen"
    word = worst(outcomes).value if outcomes else ""
    return element(
        "li",
        element("a", f"Boot {strip.boot}", href=f"#b{strip.boot}"),
        f" {word or 'nothing was judged'}",
        element("div", snapd, class_="soft small"),
        class_=word or None,
    )


def _links(timeline: Timeline) -> Markup:
    names = ["Findings", *(["Boots"] if timeline.boots else []), "Steps", "Plan", "Versions"]
    items = (element("li", element("a", name, href=f"#{name.lower()}")) for name in names)
    return element("nav", element("ul", *items), aria_label="Parts of this page")
