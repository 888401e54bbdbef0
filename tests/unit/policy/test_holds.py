# SPDX-License-Identifier: GPL-3.0-only
"""Holds in a record: when a unit was held, and the holds that a run must not rely on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge import RECORD, judge
from harness.model.clock import SECOND, GuestTime
from harness.model.occurrence import Held, Occurrence
from harness.model.occurrence import UnitChanged as Changed
from harness.model.plan import Action, Boot, HoldUnit, PlannedStep, RebootGuest, ReleaseUnit
from harness.model.scenario import RebootHow
from harness.model.timeline import BootRecord, SeenOccurrence, Timeline
from harness.model.verdict import Outcome
from harness.policy.holds import Period, failed_holds, periods
from tests.unit.builders import fresh_revert
from tests.unit.paper_guest import unit

UNIT = "snapd.service"
HOLD = HoldUnit(1, UNIT)
TIMED = HoldUnit(1, UNIT, seconds=5.0)
REBOOT = RebootGuest(RebootHow.RESET)
RELEASE = ReleaseUnit(1, UNIT)


def at(seconds: float) -> GuestTime:
    return GuestTime(int(seconds * SECOND))


def held(since: float, until: float | None = None, number: int = 1) -> Held:
    end = at(since if until is None else until)
    return Held(at=end, hold=number, since=at(since), over=until is not None)


def changed(seconds: float, active: str, sub: str = "", name: str = UNIT) -> Changed:
    return Changed(at=at(seconds), unit=unit(name, active, sub))


def a_run(actions: list[Action], *boots: list[Occurrence]) -> Timeline:
    """A run that is HELD otherwise, with these steps after it and these boots."""
    whole = fresh_revert().timeline()
    steps = tuple(PlannedStep(str(n), "step", action, 1.0) for n, action in enumerate([Boot(), *actions], 1))
    empty = BootRecord(0, "", "", "", (), (), ())
    records = tuple(
        replace(
            empty,
            number=number,
            occurrences=tuple(SeenOccurrence(line, one) for line, one in enumerate(told, 10 * number)),
        )
        for number, told in enumerate(boots, 1)
    )
    return replace(whole, plan=replace(whole.plan, steps=steps), boots=records)


def failed(timeline: Timeline) -> list[tuple[str, int]]:
    return [(one.kind, one.boot) for one in failed_holds(timeline)]


ALIVE: list[Occurrence] = [changed(2, "active", "running")]


def test_periods_are_from_systemds_stamps_and_may_lack_an_end() -> None:
    timeline = a_run([], [held(7, number=2), held(3), held(3, 9)])
    (boot,) = timeline.boots
    assert periods(boot) == (Period(1, at(3), at(9), 12), Period(2, at(7), None, 10))


@pytest.mark.parametrize(
    ("actions", "boots", "wrong"),
    [
        # over a reboot: what counts is the boot that begins with it
        ([HOLD, REBOOT, RELEASE], [[], [held(1), held(1, 9), changed(10, "active")]], []),
        ([HOLD, REBOOT, RELEASE], [[], [held(1, 9)]], []),
        ([HOLD, REBOOT, RELEASE], [[], ALIVE], [("never-held", 2)]),
        ([HOLD, REBOOT, RELEASE], [[held(1)], ALIVE], [("never-held", 2)]),
        ([HOLD, REBOOT, REBOOT, RELEASE], [[], [held(1)], [held(1, 9)]], []),
        ([HOLD, REBOOT, REBOOT, RELEASE], [[], [], [held(1, 9)]], [("never-held", 2)]),
        ([HOLD, REBOOT, RELEASE, REBOOT], [[], [held(1, 9)], []], []),
        ([HOLD, REBOOT, RELEASE], [[], [held(1, 9, number=2)]], [("never-held", 2)]),
        ([HOLD, REBOOT, RELEASE], [[]], [("never-held", 2)]),
        # within a boot
        ([HOLD, RELEASE], [[held(5, 9)]], []),
        ([HOLD, RELEASE], [ALIVE], [("never-held", 1)]),
        # those that end by themselves are for this boot and the next
        ([TIMED], [[held(5, 9)]], []),
        ([TIMED], [[]], [("never-held", 1)]),
        ([TIMED, REBOOT, REBOOT], [[], [held(1, 6)], []], []),
        ([TIMED, REBOOT, REBOOT], [[], [], []], [("never-held", 2)]),
        # the unit ran meanwhile
        ([HOLD, RELEASE], [[held(5, 9), changed(6, "active")]], [("not-kept", 1)]),
        ([HOLD, RELEASE], [[held(5, 9), changed(6, "activating", "start")]], [("not-kept", 1)]),
        ([HOLD, RELEASE], [[held(5, 9), changed(6, "active", name="snapd.socket")]], []),
        ([HOLD, RELEASE], [[changed(2, "active"), held(5, 9)]], [("not-kept", 1)]),
        ([HOLD, RELEASE], [[held(5, 9), changed(9, "activating", "start")]], []),
        # systemd restarts it: the waiting begins while it stops
        (
            [HOLD, RELEASE],
            [[*ALIVE, held(5, 9), changed(6, "deactivating"), changed(7, "activating", "auto-restart")]],
            [],
        ),
        ([HOLD, REBOOT, RELEASE], [[], [held(1), changed(5, "active")]], [("not-kept", 2)]),
    ],
)  # fmt: skip
def test_a_hold_that_held_nothing_is_found(
    actions: list[Action], boots: list[list[Occurrence]], wrong: list[tuple[str, int]]
) -> None:
    ordered = [sorted(boot, key=lambda one: one.at) for boot in boots]
    assert failed(a_run(actions, *ordered)) == wrong


def test_it_makes_the_run_unproven() -> None:
    whole = fresh_revert().timeline()
    assert judge(whole).outcome == Outcome.HELD
    first = next(place for place, step in enumerate(whole.plan.steps) if isinstance(step.action, RebootGuest))
    steps = list(whole.plan.steps)
    steps[first + 1 : first + 1] = [PlannedStep("98", "release", RELEASE, 1.0)]
    steps[first:first] = [PlannedStep("97", "hold", HOLD, 1.0)]
    verdict = judge(replace(whole, plan=replace(whole.plan, steps=tuple(steps))))
    assert verdict.outcome == Outcome.UNPROVEN
    (finding,) = (one for one in verdict.findings if one.outcome == Outcome.UNPROVEN)
    assert (finding.invariant, finding.kind, finding.subject, finding.boot) == (RECORD, "never-held", UNIT, 2)
