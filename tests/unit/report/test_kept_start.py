# SPDX-License-Identifier: GPL-3.0-only
"""What is found wrong in a start that was repeated is said to be of it, on every page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge import judge
from harness.model.clock import HostTime
from harness.model.event import Recorded, StartRepeated
from harness.model.plan import Boot, RebootGuest, SwitchOff
from harness.model.scenario import RebootHow
from harness.model.timeline import Timeline
from harness.report.html import render as html
from harness.report.kept_start import boots_of_start, in_doubt
from harness.report.text import render as text
from tests.unit.builders import fresh_revert, key_put_back

REPEATED = StartRepeated("1793611f70110000", "2026-11-27T18:36:39Z")


def with_start(timeline: Timeline, boots: int) -> Timeline:
    """The timeline with as many boots in a start that was there."""
    actions = (Boot(), *[RebootGuest(RebootHow.CLEAN)] * (boots - 1), SwitchOff())
    model = timeline.plan.steps[0]
    steps = tuple(replace(model, number=f"0.{n}", action=action) for n, action in enumerate(actions))
    plan = replace(timeline.plan, steps=(*steps, *timeline.plan.steps))
    events = (Recorded(1, HostTime(0), REPEATED), *timeline.events)
    return replace(timeline, plan=plan, events=events)


# The control's boot 4 is the one that is VIOLATED.
@pytest.mark.parametrize(("boots", "is_told"), [(3, False), (4, True)])
def test_it_is_told_when_a_boot_of_the_start_is_in_doubt(boots: int, is_told: bool) -> None:
    timeline = with_start(key_put_back().timeline(), boots)
    verdict = judge(key_put_back().timeline())
    assert ("starts/1793611f…" in in_doubt(timeline, verdict)) == is_told
    assert ("starts/1793611f…" in text(timeline, verdict, False)) == is_told
    assert ("starts/1793611f…" in html(timeline, verdict)) == is_told


def test_nothing_is_told_where_all_held_or_the_start_was_the_runs_own() -> None:
    held = with_start(fresh_revert().timeline(), 4)
    assert in_doubt(held, judge(fresh_revert().timeline())) == ""
    own = with_start(key_put_back().timeline(), 4)
    own = replace(own, events=own.events[1:])
    assert in_doubt(own, judge(key_put_back().timeline())) == ""


@pytest.mark.parametrize(("boots", "told"), [(1, "boot 1"), (3, "boots 1 to 3")])
def test_its_boots_are_named(boots: int, told: str) -> None:
    assert boots_of_start(REPEATED, with_start(fresh_revert().timeline(), boots)) == told


@pytest.mark.parametrize(("boots", "told"), [(1, "boot 1"), (3, "boots 1 to 3")])
def test_of_a_start_that_goes_on_from_another_the_boots_that_were_there_are_told(
    boots: int, told: str
) -> None:
    timeline = with_start(key_put_back().timeline(), 4)
    start = replace(REPEATED, boots=boots)
    assert boots_of_start(start, timeline) == told
    own = replace(timeline, events=(Recorded(1, HostTime(0), start), *timeline.events[1:]))
    assert in_doubt(own, judge(key_put_back().timeline())) == ""
