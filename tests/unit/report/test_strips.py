# SPDX-License-Identifier: GPL-3.0-only
"""Each boot on its own clock: what lies where, what it is, and which making of a policy each start used."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from harness.judge import judge
from harness.model.clock import SECOND, GuestTime, HostTime
from harness.model.occurrence import Held
from harness.model.plan import HoldUnit, PlannedStep
from harness.model.timeline import SeenOccurrence, Timeline
from harness.model.verdict import Verdict
from harness.policy.knowledge import Knowledge
from harness.report.host_clock import HostClock, clocks
from harness.report.html_svg import ticks
from harness.report.numbered import numbered
from harness.report.strip import Bar, Lane, Mark, Shape, Stretch, Strip
from harness.report.strips import Strips, strips
from harness.report.thin import thinned
from tests.unit.builders import BLUEZ, NETWORK, fresh_revert, key_put_back
from tests.unit.report.story import judged, stale_start


def drawn(timeline: Timeline, verdict: Verdict | None = None) -> Strips:
    return strips(timeline, Knowledge.of(timeline), numbered(verdict or judge(timeline)))


def lane(strip: Strip, name: str) -> Lane:
    return next(lane for lane in strip.lanes if lane.name == name)


@pytest.fixture(scope="module")
def story() -> Strips:
    timeline = stale_start().timeline()
    return drawn(timeline, judged(timeline))


def test_snapd_starts_and_is_ready(story: Strips) -> None:
    snapd = lane(story.boots[-1], "snapd")
    starting, ready = snapd.bars
    assert (starting.stretch, ready.stretch) == (Stretch.STARTING, Stretch.READY)
    assert starting.author == ready.author == "2.68.3"
    assert starting.until == ready.since == next(m.at for m in snapd.marks if m.shape == Shape.READY)
    assert ready.until == story.boots[-1].until


def test_another_snapd_ends_the_one_before(story: Strips) -> None:
    bars = lane(story.boots[0], "snapd").bars
    assert [bar.author for bar in bars] == ["2.68.3", "2.68.3", "2.77.1", "2.77.1"]
    assert bars[1].until == bars[2].since


def test_a_service_waits_runs_fails_waits_and_runs_again(story: Strips) -> None:
    bluez = lane(story.boots[-1], BLUEZ)
    assert [bar.stretch for bar in bluez.bars] == [
        Stretch.WAITING, Stretch.RUNNING, Stretch.WAITING, Stretch.RUNNING
    ]  # fmt: skip
    assert [bar.author for bar in bluez.bars if bar.stretch == Stretch.RUNNING] == ["2.77.1", "2.68.3"]
    assert [mark.shape for mark in bluez.marks] == [Shape.STARTED, Shape.FAILED, Shape.STARTED]
    assert [bool(mark.finding) for mark in bluez.marks] == [True, False, False]


def test_policy_has_its_writer_and_its_author(story: Strips) -> None:
    seccomp = lane(story.boots[0], "seccomp")
    assert {mark.author for mark in seccomp.marks} == {"2.68.3", "2.77.1"}
    assert all(re.search(r"by snapd \(\d+\)", mark.says) for mark in seccomp.marks)
    loads = [mark for mark in lane(story.boots[-1], "AppArmor").marks if mark.shape == Shape.LOADED]
    assert loads[0].author == "2.77.1"
    assert "load by apparmor_parser (90)" in loads[0].says


def test_each_start_is_joined_to_the_latest_making_of_what_it_runs_under(story: Strips) -> None:
    last = [edge for edge in story.boots[-1].edges if edge.to_lane == BLUEZ]
    stale, fresh = last[:2], last[2:]
    assert [(edge.lane, edge.author, edge.broken) for edge in stale] == [
        ("seccomp", "2.77.1", True),
        ("AppArmor", "2.77.1", True),
    ]
    assert stale[0].since is None
    assert "from boot 1" in stale[0].says
    assert [(edge.lane, edge.author, edge.broken) for edge in fresh] == [
        ("seccomp", "2.68.3", False),
        ("AppArmor", "2.68.3", False),
    ]
    assert all(edge.since is not None and edge.since <= edge.until for edge in fresh)


def test_a_policy_of_an_earlier_boot_has_a_lane_to_come_from() -> None:
    strip = drawn(key_put_back().timeline()).boots[-1]
    old = [edge for edge in strip.edges if edge.since is None]
    assert old
    assert {edge.lane for edge in old} <= {lane.name for lane in strip.lanes}


def test_only_the_part_that_is_of_the_author_is_broken() -> None:
    strip = drawn(key_put_back().timeline()).boots[-1]
    assert {(edge.lane, edge.broken) for edge in strip.edges} == {("seccomp", False), ("AppArmor", True)}


def test_a_record_of_looks_alone_still_tells_the_story() -> None:
    found = drawn(key_put_back(streams=False).timeline())
    last = found.boots[-1]
    assert [bar.author for bar in lane(last, "snapd").bars] == ["2.57.6"]
    for tag in (BLUEZ, NETWORK):
        (bar,) = lane(last, tag).bars
        assert (bar.stretch, bar.approximate, bool(bar.finding)) == (Stretch.RUNNING, True, True)
    assert {mark.author for mark in lane(found.boots[1], "seccomp").marks} == {"2.68.3"}
    assert lane(last, "looks and checks").marks
    assert any(note.startswith("Drawn from looks") for note in last.notes)


def test_a_service_that_waits_at_a_look_is_drawn_waiting() -> None:
    timeline = fresh_revert().wait_in_launcher(BLUEZ).look().timeline()
    bars = lane(drawn(timeline).boots[-1], BLUEZ).bars
    assert Stretch.WAITING in {bar.stretch for bar in bars}


def test_trouble_lies_at_the_kernels_own_stamp(story: Strips) -> None:
    (mark,) = lane(story.boots[-1], "console").marks
    assert (mark.at, mark.shape, mark.approximate) == (8_950_000_000, Shape.TROUBLE, False)


def test_steps_and_checks_are_placed_by_the_hosts_clock(story: Strips) -> None:
    last = story.boots[-1]
    assert all(bar.approximate for bar in lane(last, "steps").bars)
    (failed,) = (mark for mark in lane(last, "looks and checks").marks if mark.shape == Shape.FAILED)
    assert failed.approximate
    assert any("placed by the host's clock" in note for note in last.notes)


def test_a_host_time_is_placed_by_the_quickest_answer() -> None:
    timeline = stale_start().timeline()
    slow = tuple(replace(e, at=HostTime(e.at + 5 * SECOND)) for e in timeline.events[-1:])
    clock = clocks(replace(timeline, events=(*timeline.events[:-1], *slow)))[3]
    assert clock.by_looks
    assert clock.guest(HostTime(clock.start + 7)) == 7
    assert clock.guest(HostTime(0)) == 0


def test_without_a_look_the_boots_beginning_is_all_there_is() -> None:
    timeline = stale_start().timeline()
    blind = replace(timeline, boots=tuple(replace(boot, looks=()) for boot in timeline.boots))
    assert {(clock.by_looks, clock.start == clock.began) for clock in clocks(blind).values()} == {
        (False, True)
    }
    assert "too far right" in clocks(blind)[1].says


def test_a_bound_is_told() -> None:
    clock = HostClock(HostTime(0), HostTime(9), HostTime(2_700_000_000), True)
    assert "up to 2.7 s too far left" in clock.says


def test_marks_within_a_pixel_are_one_that_counts() -> None:
    marks = tuple(Mark(GuestTime(n), Shape.WRITTEN, f"w{n}") for n in range(50))
    thin = thinned(Lane("x", marks), GuestTime(10_000), 100)
    assert [mark.count for mark in thin.marks] == [10] * 5
    assert "and 9 more like it" in thin.marks[0].says
    assert thin.left_out == 0


def test_marks_of_two_authors_stay_two() -> None:
    marks = tuple(Mark(GuestTime(n), Shape.WRITTEN, "w", author=f"a{n % 2}") for n in range(4))
    thin = thinned(Lane("x", marks), GuestTime(10_000), 100)
    assert [(mark.author, mark.count) for mark in thin.marks] == [("a0", 2), ("a1", 2)]


def test_a_crowded_lane_shows_less_of_each_moment_and_all_of_the_boot() -> None:
    marks = tuple(Mark(GuestTime(n * 100), Shape.FAILED, f"f{n}") for n in range(30_000))
    thin = thinned(Lane("x", marks), GuestTime(3_000_000), 60)
    assert len(thin.marks) <= 60
    assert sum(mark.count for mark in thin.marks) == 30_000
    assert thin.marks[-1].at > 2_900_000


def test_what_a_finding_is_about_stays_a_mark_of_its_own() -> None:
    marks = tuple(Mark(GuestTime(n), Shape.STARTED, "s", finding=int(n == 500)) for n in range(1000))
    thin = thinned(Lane("x", marks), GuestTime(10**9), 10)
    assert [mark.count for mark in thin.marks if mark.finding] == [1]
    assert sum(mark.count for mark in thin.marks) == 1000


def test_what_has_no_place_at_all_is_counted() -> None:
    marks = tuple(Mark(GuestTime(n), Shape.STARTED, "s", finding=n + 1) for n in range(30))
    thin = thinned(Lane("x", marks), GuestTime(3000), 10)
    assert (len(thin.marks), thin.left_out) == (10, 20)


def test_the_longest_bars_are_kept() -> None:
    bars = [Bar(GuestTime(n * 10), GuestTime(n * 10 + n % 7), Stretch.RUNNING, "r") for n in range(70)]
    thin = thinned(Lane("x", (), tuple(bars)), GuestTime(1000), 10)
    assert {bar.until - bar.since for bar in thin.bars} == {6}
    assert thin.left_out == 60


@pytest.mark.parametrize("until", [1, SECOND, 37 * SECOND, 240 * SECOND, 86_400 * SECOND])
def test_ticks_are_few_and_round(until: int) -> None:
    found = ticks(GuestTime(0), GuestTime(until))
    assert found[0] == 0
    assert len(found) <= 11
    assert found[-1] <= until


def test_ticks_of_a_part_are_round_too() -> None:
    assert [tick / SECOND for tick in ticks(GuestTime(40 * SECOND + 1), GuestTime(42 * SECOND))] == [
        40.2, 40.4, 40.6, 40.8, 41.0, 41.2, 41.4, 41.6, 41.8, 42.0
    ]  # fmt: skip


def test_what_is_violated_gets_a_closer_picture_where_the_boot_is_long() -> None:
    timeline = key_put_back().timeline()
    last = timeline.boots[-1]
    late = tuple(replace(seen, look=replace(seen.look, at=GuestTime(500 * SECOND))) for seen in last.looks)
    found = drawn(replace(timeline, boots=(*timeline.boots[:-1], replace(last, looks=late))), judge(timeline))
    part = found.close_ups[4]
    assert list(found.close_ups) == [4]
    assert 0 < part.since < part.until < 60 * SECOND
    assert any(bar.finding for bar in lane(part, BLUEZ).bars)
    assert all(part.since <= bar.since <= bar.until <= part.until for one in part.lanes for bar in one.bars)
    assert lane(part, "snapd").bars


def test_a_short_boot_and_a_held_one_need_no_closer_picture(story: Strips) -> None:
    assert story.close_ups == {}
    assert drawn(fresh_revert().timeline()).close_ups == {}


def test_a_held_unit_has_a_lane_from_when_it_was_to_start_until_it_could() -> None:
    timeline = stale_start().timeline()
    hold = PlannedStep("99", "hold", HoldUnit(4, "snapd.service"), 1.0)
    told = Held(at=GuestTime(9 * SECOND), hold=4, since=GuestTime(2 * SECOND), over=True)
    goes_on = Held(at=GuestTime(3 * SECOND), hold=5, since=GuestTime(3 * SECOND), over=False)
    last = timeline.boots[-1]
    seen = (*last.occurrences, SeenOccurrence(7, told), SeenOccurrence(8, goes_on))
    boots = (*timeline.boots[:-1], replace(last, occurrences=seen))
    plan = replace(timeline.plan, steps=(*timeline.plan.steps, hold))
    strip = drawn(replace(timeline, plan=plan, boots=boots), judged(timeline)).boots[-1]
    says = "snapd.service was held from 2.000 s to 9.000 s (hold 4)"
    assert lane(strip, "snapd.service held").bars == (
        Bar(told.since, told.at, Stretch.HELD, says, "witness.jsonl:7"),
    )
    (open_end,) = lane(strip, "a unit held").bars
    assert (open_end.until, "to the boot's end" in open_end.says) == (strip.until, True)
