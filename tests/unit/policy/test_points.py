# SPDX-License-Identifier: GPL-3.0-only
"""Points that a run did not come to, and faults that struck nothing, leave it UNPROVEN."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge import RECORD, judge
from harness.model.clock import GuestTime, HostTime
from harness.model.event import Event, FaultEnded, PointPassed, Recorded
from harness.model.occurrence import Executed
from harness.model.plan import AwaitPoint, PlannedStep
from harness.model.point import Point, ProgramExecuted, TimePassed
from harness.model.timeline import SeenOccurrence, Timeline
from harness.model.verdict import Finding, Outcome
from tests.unit.builders import fresh_revert

TOLD = ProgramExecuted("told")
PASSED = PointPassed("98", 2, reached=True)


def a_run(point: Point | None, *events: Event) -> Timeline:
    """A run that is HELD otherwise, in whose second boot a program was executed that is told of."""
    whole = fresh_revert().timeline()
    first, second, *rest = whole.boots
    seen = SeenOccurrence(7, Executed(at=GuestTime(1), pid=7, exe="/x/told"))
    second = replace(second, occurrences=(seen, *second.occurrences))
    waits = [PlannedStep("98", "wait for the point", AwaitPoint(point), 1.0)] if point else []
    return replace(
        whole,
        plan=replace(whole.plan, steps=(*whole.plan.steps, *waits)),
        boots=(first, second, *rest),
        events=(*whole.events, *(Recorded(900, HostTime(1), event) for event in events)),
    )


def of_record(timeline: Timeline) -> list[Finding]:
    return [finding for finding in judge(timeline).findings if finding.invariant == RECORD]


@pytest.mark.parametrize(
    ("point", "events", "boot", "says"),
    [
        (TOLD, [PASSED], None, ""),
        (
            TOLD,
            [replace(PASSED, reached=False)],
            2,
            "was never reached, so what came after step 98 (wait for",
        ),
        (TOLD, [replace(PASSED, boot=1)], 1, "the witness does not tell of the point"),
        (ProgramExecuted("other"), [PASSED], 2, "the witness does not tell of the point"),
        (TOLD, [replace(PASSED, number="97")], 0, "nothing was waited for in step 98"),
        (TOLD, [], 0, "nothing was waited for in step 98"),
        (TimePassed(3.0), [PASSED], None, ""),
        (TimePassed(3.0), [replace(PASSED, reached=False)], 2, "was never reached"),
    ],
)
def test_a_point_that_was_not_reached(point: Point, events: list[Event], boot: int | None, says: str) -> None:
    timeline = a_run(point, *events)
    if boot is None:
        assert of_record(timeline) == []
        assert judge(timeline).outcome is Outcome.HELD
        return
    (finding,) = of_record(timeline)
    assert (finding.kind, finding.subject, finding.boot) == ("never-reached", "step 98", boot)
    assert says in finding.summary
    assert judge(timeline).outcome is Outcome.UNPROVEN


@pytest.mark.parametrize(("struck", "kinds"), [(0, ["struck-nothing"]), (2, []), (None, [])])
def test_a_fault_that_struck_nothing(struck: int | None, kinds: list[str]) -> None:
    timeline = a_run(None, FaultEnded("12", 2, struck))
    assert [finding.kind for finding in of_record(timeline)] == kinds
    assert judge(timeline).outcome is (Outcome.UNPROVEN if kinds else Outcome.HELD)
