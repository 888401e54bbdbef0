# SPDX-License-Identifier: GPL-3.0-only
"""The boot after a cut is judged by itself, by what the recording taught of who makes what."""

from __future__ import annotations

from dataclasses import replace

from harness.judge import judge
from harness.model.observation import ProcessSeen, TwinSeen
from harness.model.timeline import Timeline
from harness.model.verdict import Finding, Outcome
from harness.policy.earlier import learnt_from
from harness.policy.knowledge import Knowledge
from tests.unit.builders import BLUEZ, NEW, OLD, TAGS, Guest
from tests.unit.cut_guest import after_cut, cut, refreshed


def twins(guest: Guest) -> Guest:
    """Twins of the last look, each under what a start would get now."""
    boot, look = guest.looks[-1]
    found = tuple(TwinSeen(tag=tag, process=_twin(guest, tag)) for tag in guest.tags)
    guest.looks[-1] = boot, replace(look, twins=found)
    return guest


def _twin(guest: Guest, tag: str) -> ProcessSeen:
    return replace(guest.process(tag, 9000, main=False), exe="/bin/bash")


def key_of(guest: Guest) -> str:
    return guest.key.sha256 if guest.key else ""


def worst(timeline: Timeline, outcome: Outcome) -> list[Finding]:
    return [finding for finding in judge(timeline).findings if finding.outcome == outcome]


def test_a_cut_before_anything_changed_holds_by_what_the_recording_taught() -> None:
    recording = refreshed()
    guest = twins(cut(recording).start_services().start_snapd().look())
    verdict = judge(after_cut(guest, recording, key_of(recording)))
    assert verdict.outcome == Outcome.HELD, [f for f in verdict.findings if f.outcome != Outcome.HELD]
    files = {evidence.file for finding in verdict.findings for evidence in finding.evidence}
    assert files == {"witness.jsonl", "recording/witness.jsonl", "console.log"} - {"console.log"}


def test_without_the_recording_nobody_is_known() -> None:
    recording = refreshed()
    guest = twins(cut(recording).start_services().start_snapd().look())
    alone = replace(after_cut(guest, recording), recording=None)
    assert judge(alone).outcome == Outcome.UNPROVEN


def resumed() -> Guest:
    """snapd 2.68.3 boots, goes on with the revert, and 2.57.6 takes over in the same boot."""
    guest = cut(refreshed()).start_services().start_snapd()
    guest.core = OLD
    return guest.start_snapd()


def test_a_service_that_outlives_the_change_that_is_gone_on_with_is_no_wrong_start() -> None:
    recording = refreshed()
    guest = twins(resumed().look())
    verdict = judge(after_cut(guest, recording, key_of(recording)))
    assert verdict.outcome == Outcome.HELD, [f for f in verdict.findings if f.outcome != Outcome.HELD]
    kinds = {(finding.invariant, finding.kind) for finding in verdict.findings}
    assert ("policy-from-running-snapd", "mixed") in kinds
    assert ("twin-agrees", "outlived") in kinds
    assert ("services-after-policy", "guarded") in kinds


def test_it_outlived_nothing_when_the_steps_say_which_core_it_is() -> None:
    recording = refreshed()
    told = after_cut(twins(resumed().look()), recording, key_of(recording))
    boots = tuple(
        replace(b, looks=tuple(replace(s, taken=replace(s.taken, expects_core=OLD.name)) for s in b.looks))
        for b in told.boots
    )
    kinds = {(f.invariant, f.kind) for f in worst(replace(told, boots=boots), Outcome.VIOLATED)}
    assert kinds == {("policy-from-running-snapd", "stale"), ("twin-agrees", "differs")}


def test_a_twin_that_gets_other_policy_than_the_running_snapds_is_told() -> None:
    recording = refreshed()
    guest = resumed().look()
    guest.core = NEW
    told = after_cut(twins(guest), recording, key_of(recording))
    # As the service has it, which is 2.68.3's: a start now would be stale.
    assert {f.kind for f in judge(told).findings if f.invariant == "twin-agrees"} == {"equal"}
    guest.core = OLD
    boot, look = guest.looks[-1]
    foreign = tuple(
        replace(t, process=replace(t.process, filters=()))
        for t in twins(guest).looks[-1][1].twins
        if t.process
    )
    guest.looks[-1] = boot, replace(look, twins=foreign)
    found = worst(after_cut(guest, recording, key_of(recording)), Outcome.VIOLATED)
    assert {(f.invariant, f.subject) for f in found} == {("twin-agrees", tag) for tag in TAGS}


def test_a_core_that_went_back_over_the_others_policy_is_violated() -> None:
    """The cut came between the change of core and its policy, and nothing lets a service wait."""
    recording = refreshed()
    guest = cut(recording)
    guest.core = replace(OLD, compiled=NEW.compiled)
    guest.start_services()
    guest.core = OLD
    guest.start_snapd().look()
    found = worst(after_cut(twins(guest), recording, key_of(recording)), Outcome.VIOLATED)
    assert {(f.invariant, f.kind, f.author) for f in found} >= {
        ("policy-from-running-snapd", "stale", NEW.name),
        ("services-after-policy", "early", OLD.name),
    }


def test_which_key_a_start_found_is_known_from_the_disk_of_the_cut() -> None:
    recording = refreshed()
    guest = twins(resumed().look())
    unknown = worst(after_cut(guest, recording, "another"), Outcome.UNPROVEN)
    assert {f.invariant for f in unknown} == {"services-after-policy"}
    none = worst(after_cut(guest, recording, ""), Outcome.VIOLATED)
    assert {(f.invariant, f.kind) for f in none} == {("services-after-policy", "early")}


def test_a_snap_that_the_cut_left_open_is_judged_only_when_it_is_there() -> None:
    recording = refreshed()
    whole = after_cut(twins(cut(recording).start_services().start_snapd().look()), recording)
    cut_of = whole.plan.cut
    assert cut_of
    unsure = replace(whole, plan=replace(whole.plan, cut=replace(cut_of, unsure=("bluez",))))
    assert {f.subject for f in judge(unsure).findings} >= {BLUEZ}
    absent = tuple(
        replace(
            b,
            looks=tuple(
                replace(s, look=replace(s.look, services=tuple(e for e in s.look.services if e.tag != BLUEZ)))
                for s in b.looks
            ),
            occurrences=tuple(s for s in b.occurrences if getattr(s.occurrence, "tag", "") != BLUEZ),
        )
        for b in unsure.boots
    )
    found = judge(replace(unsure, boots=absent)).findings
    at_end = [f for f in found if f.invariant in ("units-healthy", "twin-agrees")]
    assert at_end
    assert not [f for f in at_end if BLUEZ in f.subject]


def test_claims_say_that_they_are_of_the_recording() -> None:
    recording = refreshed().timeline()
    known = Knowledge.of(recording).authors
    told = learnt_from(known, "recording")
    assert told.claims.keys() == known.claims.keys()
    files = {claim.evidence.file for claims in told.claims.values() for claim in claims}
    assert files == {"recording/witness.jsonl"}
