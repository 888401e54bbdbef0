# SPDX-License-Identifier: GPL-3.0-only
"""The points of the plan that were not reached, and the faults that struck nothing.

Whatever was done after such a point was done somewhere else, and with such a fault nothing had gone wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.model.event import FaultEnded, PointPassed
from harness.model.plan import AwaitPoint
from harness.model.point import Point, TimePassed, is_reached
from harness.model.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Missed:
    """What the plan relied on and did not get: the step that told, and the boot (0: it never ended)."""

    kind: str
    step: str
    boot: int
    says: str


def missed_points(timeline: Timeline) -> Iterator[Missed]:
    """The points that the run did not come to, or of which its record does not tell."""
    passed = {e.event.number: e.event for e in timeline.events if isinstance(e.event, PointPassed)}
    for step in timeline.plan.steps:
        if not isinstance(step.action, AwaitPoint):
            continue
        told = passed.get(step.number)
        rest = f"so what came after step {step.number} ({step.title}) was not done there"
        if told is None:
            yield Missed(
                "never-reached",
                step.number,
                0,
                f"nothing was waited for in step {step.number} ({step.title})",
            )
        elif not told.reached:
            yield Missed("never-reached", step.number, told.boot, f"the point was never reached, {rest}")
        elif not _is_told(timeline, told.boot, step.action.point):
            yield Missed(
                "never-reached", step.number, told.boot, f"the witness does not tell of the point, {rest}"
            )


def idle_faults(timeline: Timeline) -> Iterator[Missed]:
    """The faults that were there, and nothing came their way."""
    titles = {step.number: step.title for step in timeline.plan.steps}
    for event in (recorded.event for recorded in timeline.events):
        if isinstance(event, FaultEnded) and event.struck == 0:
            title = titles.get(event.number, "").removeprefix("end: ")
            says = f"nothing came to harm ({title}): it was not executed before step {event.number}"
            yield Missed("struck-nothing", event.number, event.boot, says)


def _is_told(timeline: Timeline, number: int, point: Point) -> bool:
    if isinstance(point, TimePassed):
        return True
    boots = (boot for boot in timeline.boots if boot.number == number)
    return any(is_reached(point, seen.occurrence) for boot in boots for seen in boot.occurrences)
