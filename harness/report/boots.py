# SPDX-License-Identifier: GPL-3.0-only
"""Each boot on a page: which snapd ran, and under whose policy each service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model.observation import ServiceSeen
from harness.model.plan import HoldUnit
from harness.model.timeline import BootRecord, SeenLook, Timeline
from harness.model.verdict import Verdict
from harness.policy import confinement
from harness.policy.builds import Builds, short
from harness.policy.holds import periods
from harness.policy.knowledge import Knowledge
from harness.policy.part import Part
from harness.report.lane_of_holds import told
from harness.report.layout import Page, columns
from harness.report.numbered import numbered
from harness.report.starts import starts
from harness.report.story import story

_SERVICE, _PART, _CLASS = 38, 22, 14


def boots(timeline: Timeline, verdict: Verdict, page: Page) -> Iterator[str]:
    """A paragraph for each boot, with its starts where the witness told of them as they happened."""
    known = Knowledge.of(timeline)
    started = starts(timeline, known, numbered(verdict))
    yield from page.title("Boots")
    if not timeline.boots:
        yield from page.line("none", indent=2)
    for boot in timeline.boots:
        yield from _boot(boot, known, timeline.plan.holds, page)
        if boot.occurrences:
            yield from story(started[boot.number], page)


def _boot(boot: BootRecord, known: Knowledge, plan_holds: Sequence[HoldUnit], page: Page) -> Iterator[str]:
    ended = boot.ended or "the end of the run"
    yield from page.line(f"boot {boot.number}: began by {boot.cause}, ended by {ended}", indent=2)
    for held in periods(boot):
        yield from page.line(told(held, plan_holds), indent=4)
    look = boot.end_look or next(reversed(boot.looks), None)
    if look is None:
        yield from page.line("nobody looked at it", indent=4)
        return
    yield from _snapd(look, known.builds, page)
    header = ("service", _SERVICE), ("seccomp", _PART), ("AppArmor", _PART), ("class", _CLASS)
    if look.look.services:
        yield "    " + columns(header)
    for service in look.look.services:
        yield "    " + _service(look, service, known)


def _snapd(look: SeenLook, builds: Builds, page: Page) -> Iterator[str]:
    snapd = look.look.snapd
    expected = f"expected {look.taken.expects_core}" if look.taken.expects_core else "no expectation"
    if snapd is None:
        yield from page.line(f"no snapd ran ({expected})", indent=4)
        return
    who = f"snapd {builds.name(snapd.build_id)} ({expected}): {snapd.exe}"
    yield from page.line(f"{who}, build id {short(snapd.build_id) or 'unknown'}", indent=4)


def _service(look: SeenLook, service: ServiceSeen, known: Knowledge) -> str:
    snapd = look.look.snapd
    read = confinement.read(look, service, snapd, known) if snapd else ()
    if not read:
        state = f"{service.unit.active_state} ({service.unit.sub_state})"
        return columns(((service.tag, _SERVICE), ("-", _PART), ("-", _PART), (state, 24)))
    parts = [(_part(part, known.builds), _PART) for part in read[0].parts] or [("-", _PART), ("-", _PART)]
    return columns(((service.tag, _SERVICE), *parts, (str(read[0].kind), _CLASS)))


def _part(part: Part, builds: Builds) -> str:
    author = "/".join(builds.name(build) for build in part.authors) or "?"
    digest = short(part.digests[0]) if part.digests and part.digests[0] else "-"
    return f"{author} {digest}" if part.digests else "-"
