# SPDX-License-Identifier: GPL-3.0-only
"""Lanes of what was done to a boot and what was seen of it: steps, looks and checks, QEMU, the console."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.model.clock import SECOND, GuestTime
from harness.model.console import troubles_in
from harness.model.event import MachineSaid, StepBegan, StepEnded
from harness.model.occurrence import Lost
from harness.model.timeline import BootRecord, Timeline
from harness.report.host_clock import HostClock
from harness.report.strip import Bar, Lane, Mark, Shape, Stretch, seconds

STEPS, WITNESS, MACHINE, CONSOLE = "steps", "looks and checks", "QEMU", "console"

# With printk.time, which is the default: seconds of the kernel's scheduler clock, close to CLOCK_BOOTTIME.
_STAMP = re.compile(r"\[ *(\d{1,9})\.(\d{6})\]")


def steps(timeline: Timeline, clock: HostClock) -> Lane:
    """The steps that went on in this boot."""
    ends = {e.event.number: e.at for e in timeline.events if isinstance(e.event, StepEnded)}
    bars = []
    for recorded in timeline.events:
        match recorded.event:
            case StepBegan(number=number, title=title):
                end = ends.get(number, clock.ended)
                if recorded.at < clock.ended and end >= clock.began:
                    since, until = clock.guest(recorded.at), clock.guest(min(end, clock.ended))
                    place = f"events.jsonl:{recorded.line}"
                    says = f"{number} {title}"
                    bars.append(Bar(since, until, Stretch.STEP, says, place, approximate=True))
            case _:
                pass
    return Lane(STEPS, (), tuple(bars))


def machine(timeline: Timeline, clock: HostClock) -> Lane:
    """What QEMU said during this boot; the event that ended it is its last."""
    marks = [
        Mark(
            clock.guest(recorded.at),
            Shape.MACHINE,
            _machine_said(recorded.event),
            f"events.jsonl:{recorded.line}",
            approximate=True,
        )
        for recorded in timeline.events
        if isinstance(recorded.event, MachineSaid) and clock.began <= recorded.at < clock.ended
    ]
    return Lane(MACHINE, tuple(marks))


def _machine_said(event: MachineSaid) -> str:
    data = ", ".join(f"{key} {value}" for key, value in event.data.items())
    return f"{event.event}: {data}" if data else event.event


def witness(boot: BootRecord, timeline: Timeline, clock: HostClock | None) -> Lane:
    """Looks by the guest's clock, checks by the host's, and what the witness says it missed."""
    marks = [*_looks(boot), *_lost(boot)]
    if clock:
        marks += _checks(boot, timeline, clock)
    return Lane(WITNESS, tuple(sorted(marks, key=lambda mark: mark.at)))


def _looks(boot: BootRecord) -> Iterator[Mark]:
    for seen in boot.looks:
        unsettled = f"; not settled: {seen.look.unsettled[0]}" if seen.look.unsettled else ""
        says = f"look {seen.look.number}, {seen.look.reason}{unsettled}"
        yield Mark(seen.look.at, Shape.LOOKED, says, f"witness.jsonl:{seen.line}")


def _lost(boot: BootRecord) -> Iterator[Mark]:
    for seen in boot.occurrences:
        if isinstance(seen.occurrence, Lost):
            lost = seen.occurrence
            says = f"some {lost.source} since {seconds(lost.since)} may be missing: {lost.why}"
            yield Mark(lost.at, Shape.UNKNOWN, says, f"witness.jsonl:{seen.line}")


def _checks(boot: BootRecord, timeline: Timeline, clock: HostClock) -> Iterator[Mark]:
    arrivals = {recorded.line: recorded.at for recorded in timeline.events}
    shapes = {True: Shape.LOOKED, False: Shape.FAILED, None: Shape.UNKNOWN}
    words = {True: "passed", False: "not passed", None: "could not be read"}
    for line, check in boot.checks:
        says = f"check {check.check} {words[check.passed]}: {check.seen}"
        at = clock.guest(arrivals.get(line, clock.ended))
        yield Mark(at, shapes[check.passed], says, f"events.jsonl:{line}", approximate=True)


def console(boot: BootRecord) -> Lane:
    """Lines that show trouble, at their own stamp; one without is placed at the latest stamp before it."""
    marks = []
    latest = GuestTime(0)
    for line in boot.console:
        stamp = _STAMP.search(line.text[:80])
        if stamp:
            latest = GuestTime(int(stamp[1]) * SECOND + int(stamp[2]) * 1000)
        for trouble in troubles_in(line.text):
            says = f"{trouble.name}: {line.text.strip()}"
            place = f"console.log:{line.line}"
            marks.append(Mark(latest, Shape.TROUBLE, says, place, approximate=not stamp))
    return Lane(CONSOLE, tuple(marks))
