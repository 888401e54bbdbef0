# SPDX-License-Identifier: GPL-3.0-only
"""A verdict is a function of the record: the same bytes everywhere, and never better for knowing less."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge import judge, judge_directory
from harness.model import codec
from harness.model.event import RunClosed
from harness.model.plan import PlannedInvariant, SnapRef
from harness.model.scenario import Control
from harness.model.timeline import BootRecord, SeenLook, Timeline
from harness.model.verdict import Outcome, Verdict
from harness.record import EVENTS, WITNESS, read_timeline
from tests.unit.builders import (
    BLUEZ,
    NETWORK,
    POLICY,
    SPAN,
    Guest,
    begun,
    fresh_revert,
    key_put_back,
    stale_seccomp,
)

ALL = tuple(
    PlannedInvariant(name, {}, SPAN) for name in (POLICY, "units-healthy", "snapd-is-who-it-should-be")
)
RUNS = {
    "held": fresh_revert(invariants=ALL).timeline(),
    "control": key_put_back(invariants=ALL).timeline(),
    "stale": stale_seccomp(invariants=ALL).timeline(),
    "waiting": fresh_revert(invariants=ALL).wait_in_launcher(BLUEZ).look().timeline(),
}


def outcome(timeline: Timeline) -> Outcome:
    return judge(timeline).outcome


def test_the_runs_come_out_as_they_must() -> None:
    assert {name: outcome(timeline) for name, timeline in RUNS.items()} == {
        "held": Outcome.HELD,
        "control": Outcome.VIOLATED,
        "stale": Outcome.VIOLATED,
        "waiting": Outcome.UNPROVEN,
    }


# -- knowing less


def looks_of(timeline: Timeline) -> list[SeenLook]:
    return [seen for boot in timeline.boots for seen in boot.looks]


def with_looks(timeline: Timeline, looks: list[SeenLook]) -> Timeline:
    def of(boot: BootRecord) -> tuple[SeenLook, ...]:
        return tuple(seen for seen in looks if seen.taken.boot == boot.number)

    return replace(timeline, boots=tuple(replace(boot, looks=of(boot)) for boot in timeline.boots))


def lesser(data: st.DataObject, seen: SeenLook) -> SeenLook:
    """The look with some of what it saw taken away."""
    look = seen.look
    keep = st.lists(st.booleans(), min_size=len(look.files), max_size=len(look.files))
    files = tuple(f for f, kept in zip(look.files, data.draw(keep), strict=True) if kept)
    services = tuple(s for s in look.services if data.draw(st.booleans()))
    profiles = tuple(p for p in look.profiles if data.draw(st.booleans()))
    key = look.system_key if data.draw(st.booleans()) else None
    snapd = look.snapd if data.draw(st.booleans()) else None
    return replace(
        seen,
        look=replace(look, files=files, services=services, profiles=profiles, system_key=key, snapd=snapd),
    )


@pytest.mark.parametrize("name", ["control", "stale", "waiting"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_taking_looks_away_never_makes_a_run_held(name: str, data: st.DataObject) -> None:
    timeline = RUNS[name]
    kept = [seen for seen in looks_of(timeline) if data.draw(st.booleans())]
    assert outcome(with_looks(timeline, kept)) != Outcome.HELD


@pytest.mark.parametrize("name", ["control", "stale", "waiting"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_taking_parts_of_looks_away_never_makes_a_run_held(name: str, data: st.DataObject) -> None:
    timeline = RUNS[name]
    assert outcome(with_looks(timeline, [lesser(data, s) for s in looks_of(timeline)])) != Outcome.HELD


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_held_run_with_less_in_it_is_held_for_the_same_services_or_not_at_all(data: st.DataObject) -> None:
    timeline = RUNS["held"]
    verdict = judge(with_looks(timeline, [lesser(data, seen) for seen in looks_of(timeline)]))
    if verdict.outcome == Outcome.HELD:
        assert {(f.boot, f.subject) for f in verdict.findings} == {
            (f.boot, f.subject) for f in judge(timeline).findings
        }


@pytest.mark.parametrize("number", range(len(looks_of(RUNS["held"]))))
def test_a_held_run_without_one_of_its_looks_is_unproven(number: int) -> None:
    looks = looks_of(RUNS["held"])
    assert outcome(with_looks(RUNS["held"], looks[:number] + looks[number + 1 :])) == Outcome.UNPROVEN


def test_a_held_record_without_any_one_of_its_lines_is_not_held_better(tmp_path: Path) -> None:
    """Each line in turn; steps and boot ids carry no proof, every other line does."""
    run = fresh_revert(tags=(BLUEZ,)).record(tmp_path)
    carries_none = ("step-began", "step-ended", "boot-ready", "boot-ended", "artifact-used")
    for name in (EVENTS, WITNESS):
        whole = (run / name).read_bytes()
        lines = whole.splitlines(keepends=True)
        for number, line in enumerate(lines):
            (run / name).write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
            expected = any(f'"{word}"'.encode() in line for word in carries_none)
            assert (outcome(read_timeline(run)) == Outcome.HELD) is expected, line[:200]
        (run / name).write_bytes(whole)


@pytest.mark.parametrize("make", [key_put_back, stale_seccomp])
def test_a_red_record_without_any_one_of_its_lines_is_never_held(tmp_path: Path, make: object) -> None:
    assert callable(make)
    run = make(tags=(BLUEZ,)).record(tmp_path)
    for name in (EVENTS, WITNESS):
        whole = (run / name).read_bytes()
        lines = whole.splitlines(keepends=True)
        for number in range(len(lines)):
            (run / name).write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
            assert outcome(read_timeline(run)) != Outcome.HELD
        (run / name).write_bytes(whole)


# -- order


@pytest.mark.parametrize("name", sorted(RUNS))
@settings(max_examples=30, deadline=None)
@given(seed=st.integers())
def test_the_order_of_what_a_look_lists_does_not_matter(name: str, seed: int) -> None:
    shuffle = random.Random(seed)

    def mixed(seen: SeenLook) -> SeenLook:
        look = seen.look
        files = tuple(shuffle.sample(look.files, len(look.files)))
        profiles = tuple(shuffle.sample(look.profiles, len(look.profiles)))
        services = tuple(shuffle.sample(look.services, len(look.services)))
        return replace(seen, look=replace(look, files=files, profiles=profiles, services=services))

    timeline = RUNS[name]
    shuffled = with_looks(timeline, [mixed(seen) for seen in looks_of(timeline)])
    artifacts = tuple(shuffle.sample(timeline.artifacts, len(timeline.artifacts)))
    assert codec.dumps(judge(replace(shuffled, artifacts=artifacts))) == codec.dumps(judge(timeline))


def test_the_order_of_witness_lines_changes_places_and_nothing_else(tmp_path: Path) -> None:
    run = key_put_back(invariants=ALL, streams=False).record(tmp_path)

    def told() -> list[tuple[object, ...]]:
        found = judge(read_timeline(run)).findings
        return [(f.invariant, f.boot, f.subject, f.kind, f.outcome, f.author, f.summary) for f in found]

    before = told()
    lines = (run / WITNESS).read_bytes().splitlines(keepends=True)
    (run / WITNESS).write_bytes(b"".join(lines[::-1]))
    assert told() == before


# -- bytes


def test_judging_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    run = key_put_back(invariants=ALL).record(tmp_path)
    judge_directory(run)
    first = (run / "verdict.json").read_bytes()
    verdict = judge_directory(run)
    assert (run / "verdict.json").read_bytes() == first
    assert codec.loads(Verdict, first) == verdict


def test_the_same_record_elsewhere_gives_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("here", "a place/with another name"):
        (tmp_path / name).mkdir(parents=True)
        judge_directory(key_put_back().record(tmp_path / name))
        found.append((tmp_path / name / "verdict.json").read_bytes())
        assert str(tmp_path).encode() not in found[-1]
    assert found[0] == found[1]


def test_nothing_but_the_verdict_is_left_behind(tmp_path: Path) -> None:
    before = {path.name for path in fresh_revert().record(tmp_path).iterdir()}
    judge_directory(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} - before == {"verdict.json"}


# -- nothing proven


def test_no_invariant_proves_nothing() -> None:
    verdict = judge(fresh_revert(invariants=()).timeline())
    assert (verdict.outcome, [f.kind for f in verdict.findings]) == (Outcome.UNPROVEN, ["nothing-to-judge"])


def test_an_invariant_without_a_finding_proves_nothing() -> None:
    guest = Guest(tags=(), invariants=(PlannedInvariant("units-healthy", {}, SPAN),)).power_on().look()
    verdict = judge(guest.timeline())
    assert (verdict.outcome, [f.kind for f in verdict.findings]) == (Outcome.UNPROVEN, ["nothing-to-judge"])


def test_an_invariant_of_a_newer_harness_proves_nothing() -> None:
    timeline = fresh_revert(invariants=(*ALL, PlannedInvariant("from-the-future", {}, SPAN))).timeline()
    verdict = judge(timeline)
    assert verdict.outcome == Outcome.UNPROVEN
    assert "unknown-invariant" in {f.kind for f in verdict.findings}


def test_a_gap_proves_nothing() -> None:
    verdict = judge(replace(RUNS["held"], gaps=("events.jsonl:9 cannot be read",)))
    assert verdict.outcome == Outcome.UNPROVEN
    assert [f.summary for f in verdict.findings if f.kind == "gap"] == ["events.jsonl:9 cannot be read"]


def test_a_record_that_was_not_closed_proves_nothing(tmp_path: Path) -> None:
    guest = fresh_revert()
    guest.record(tmp_path)
    events = (tmp_path / EVENTS).read_text()
    closed = codec.dumps(RunClosed(True))
    assert closed in events
    (tmp_path / EVENTS).write_text(events.replace(closed, codec.dumps(RunClosed(False))))
    assert judge_directory(tmp_path).outcome == Outcome.UNPROVEN


def test_a_boot_that_nobody_planned_proves_nothing() -> None:
    timeline = RUNS["held"]
    steps = tuple(s for s in timeline.plan.steps if s.number != timeline.plan.steps[3].number)
    verdict = judge(replace(timeline, plan=replace(timeline.plan, steps=steps)))
    assert "unplanned-boot" in {f.kind for f in verdict.findings}
    assert verdict.outcome == Outcome.UNPROVEN


# -- errors and controls


def test_a_failure_to_measure_is_an_error_that_keeps_what_was_found() -> None:
    verdict = judge(key_put_back().fail("cannot reboot: no new boot id in 60 s").timeline())
    assert verdict.exit_code == 3
    assert "TimedOut: cannot reboot" in verdict.error
    assert verdict.outcome == Outcome.VIOLATED


@pytest.mark.parametrize(("name", "status"), [("held", 0), ("control", 1), ("waiting", 2)])
def test_exit_codes(name: str, status: int) -> None:
    assert judge(RUNS[name]).exit_code == status


def control(**changes: object) -> Control:
    made = Control(SPAN, POLICY, (BLUEZ, NETWORK), "2.68.3", "stale")
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_control_that_is_violated_as_it_must_be() -> None:
    verdict = judge(key_put_back(control=control()).timeline())
    assert verdict.control is not None
    assert verdict.control.as_expected
    assert verdict.outcome == Outcome.VIOLATED


@pytest.mark.parametrize(
    "changes",
    [
        {"invariant": "units-healthy"},
        {"subjects": (BLUEZ, "snap.other.app")},
        {"author": "2.77.1"},
        {"finding_class": "unconfined"},
        {"evidence": "snap.other.app"},
    ],
    ids=["invariant", "subject", "author", "class", "evidence"],
)
def test_a_control_that_is_violated_otherwise_is_not_as_expected(changes: dict[str, object]) -> None:
    verdict = judge(key_put_back(control=control(**changes), invariants=ALL).timeline())
    assert verdict.control is not None
    assert not verdict.control.as_expected
    assert verdict.control.missing


def test_each_subject_has_the_words_in_its_own_evidence() -> None:
    one = judge(key_put_back(control=control(subjects=(BLUEZ,), evidence=BLUEZ)).timeline()).control
    both = judge(key_put_back(control=control(evidence=BLUEZ)).timeline()).control
    assert one is not None
    assert one.as_expected
    assert both is not None
    assert [NETWORK in missing for missing in both.missing] == [True]
    assert f"with '{BLUEZ}' in the evidence" in both.missing[0]


def test_a_control_that_is_held_is_not_as_expected() -> None:
    verdict = judge(fresh_revert(control=control(subjects=(), author="", finding_class="")).timeline())
    assert verdict.control is not None
    assert not verdict.control.as_expected


def test_a_control_may_leave_the_details_open() -> None:
    verdict = judge(key_put_back(control=control(subjects=(), author="", finding_class="")).timeline())
    assert verdict.control is not None
    assert verdict.control.as_expected


def test_replicas_are_named() -> None:
    timeline = begun().timeline()
    replica = SnapRef("core", "2.24", "core.snap", replica=True)
    plan = replace(timeline.plan, snaps=(replica, *timeline.plan.snaps))
    assert judge(replace(timeline, plan=plan)).replicas == ("2.24",)
