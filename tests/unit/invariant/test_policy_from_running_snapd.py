# SPDX-License-Identifier: GPL-3.0-only
"""The first claim of the harness: every snap service runs under policy of the snapd that runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.invariant.policy_from_running_snapd import judge
from harness.model.event import ArtifactUsed
from harness.model.observation import PolicyKind
from harness.model.plan import InstallSnap, PlannedStep, RemoveSnap, SnapRef
from harness.model.timeline import Timeline
from harness.model.verdict import Finding, Outcome
from tests.unit.builders import (
    BLUEZ,
    NETWORK,
    NEW,
    OLD,
    Guest,
    begun,
    digest,
    fresh_revert,
    key_put_back,
    stale_seccomp,
    unit,
)


def findings(guest: Guest | Timeline, *services: str) -> tuple[Finding, ...]:
    timeline = guest if isinstance(guest, Timeline) else guest.timeline()
    return judge(timeline, {"services": services})


def last(guest: Guest, tag: str = BLUEZ) -> Finding:
    """The finding about a service in the last look; it must be the only one."""
    found = [f for f in findings(guest) if f.boot == guest.boot and f.subject == tag]
    (one,) = [f for f in found if not f.evidence or f.evidence[0].line == len(guest.looks)]
    return one


def test_the_main_job_is_held_for_every_service_of_every_boot() -> None:
    found = findings(fresh_revert())
    assert {(f.boot, f.subject) for f in found} == {(b, t) for b in (1, 2, 3, 4) for t in (BLUEZ, NETWORK)}
    assert {(f.outcome, f.kind) for f in found} == {(Outcome.HELD, "fresh")}


def test_the_control_is_stale_apparmor_of_the_newer_core_only() -> None:
    found = [f for f in findings(key_put_back(streams=False)) if f.outcome == Outcome.VIOLATED]
    assert [(f.boot, f.subject, f.kind, f.author) for f in found] == [
        (4, BLUEZ, "stale", "2.68.3"),
        (4, NETWORK, "stale", "2.68.3"),
    ]
    assert "AppArmor profile" in found[0].summary
    assert "its seccomp is fresh" in found[0].summary
    assert "snapd 2.57.6 runs" in found[0].summary


def test_stale_seccomp_names_its_author_and_that_apparmor_is_fresh() -> None:
    found = last(stale_seccomp())
    assert (found.outcome, found.kind, found.author) == (Outcome.VIOLATED, "stale", "2.77.1")
    assert "seccomp filter" in found.summary
    assert "its AppArmor is fresh" in found.summary


def test_evidence_names_look_digest_and_writer() -> None:
    found = last(key_put_back(streams=False))
    says = {evidence.says for evidence in found.evidence}
    assert any("is in the kernel" in one for one in says)
    assert any("compiled from a source of snapd 2.68.3" in one for one in says)
    assert {evidence.file for evidence in found.evidence} == {"witness.jsonl"}
    assert all(1 <= evidence.line <= 5 for evidence in found.evidence)


def test_waiting_is_unproven_and_not_called_unconfined() -> None:
    found = last(fresh_revert().reboot().start_snapd().start_services().wait_in_launcher(BLUEZ).look())
    assert (found.outcome, found.kind) == (Outcome.UNPROVEN, "waiting")
    assert "had not executed yet" in found.summary


def test_unconfined_is_violated() -> None:
    guest = fresh_revert().reboot().start_snapd().start_services()
    guest.change_process(BLUEZ, filters=(), seccomp_mode=0).look()
    kinds = {(f.outcome, f.kind) for f in findings(guest) if f.boot == guest.boot and f.subject == BLUEZ}
    assert kinds == {(Outcome.VIOLATED, "unconfined"), (Outcome.HELD, "fresh")}


def test_a_child_alone_violates() -> None:
    guest = key_put_back()
    fresh_child = begun().processes[BLUEZ][1]
    guest.processes[BLUEZ] = (guest.processes[BLUEZ][0], replace(fresh_child, label="unconfined"))
    guest.look()
    found = [f for f in findings(guest) if f.subject == BLUEZ and f.evidence[0].line == len(guest.looks)]
    assert sorted(f.kind for f in found) == ["stale", "unconfined"]


def test_outliving_a_change_is_held_with_a_look_and_open_without() -> None:
    seen = last(begun().look(boot_end=False).install(NEW).look(boot_end=True))
    assert (seen.outcome, seen.kind) == (Outcome.HELD, "mixed")
    guest = begun().reboot().start_snapd().start_services().install(NEW).look()
    unseen = last(guest)
    assert (unseen.outcome, unseen.kind) == (Outcome.UNPROVEN, "mixed")


def test_an_unsettled_look_is_unproven_unless_violated() -> None:
    guest = fresh_revert().look(unsettled=("snap.bluez.bluez.service waits in snap",))
    assert "unsettled" in {f.kind for f in findings(guest) if f.outcome == Outcome.UNPROVEN}
    stale = key_put_back().look(unsettled=("a job",))
    assert {f.kind for f in findings(stale) if f.boot == 4} == {"stale"}


def test_a_look_with_problems_is_unproven() -> None:
    found = [f for f in findings(fresh_revert().look(problems=("cannot read x",))) if f.subject == "look"]
    assert [(f.outcome, f.kind) for f in found] == [(Outcome.UNPROVEN, "unseen")]


def test_without_a_snapd_nothing_is_shown() -> None:
    found = last(fresh_revert().reboot().start_services().look())
    assert (found.outcome, found.kind) == (Outcome.UNPROVEN, "unseen")


def test_a_dead_service_is_unproven() -> None:
    guest = fresh_revert().reboot().start_snapd().start_services()
    guest.processes[BLUEZ] = ()
    guest.units[BLUEZ] = unit(f"{BLUEZ}.service", "failed", "failed", result="exit-code", exit_status=3)
    found = last(guest.look())
    assert (found.outcome, found.kind) == (Outcome.UNPROVEN, "dead")


def launcher_died(guest: Guest) -> Guest:
    guest.reboot().start_snapd().start_services()
    guest.processes[BLUEZ] = ()
    guest.units[BLUEZ] = unit(f"{BLUEZ}.service", "failed", "failed", result="exit-code", exit_status=1)
    return guest


def test_a_launcher_that_died_without_policy_on_disk_is_missing() -> None:
    guest = launcher_died(fresh_revert())
    del guest.files[PolicyKind.SECCOMP_BIN, BLUEZ], guest.files[PolicyKind.SECCOMP_BIN2, BLUEZ]
    found = last(guest.look())
    assert (found.outcome, found.kind) == (Outcome.VIOLATED, "missing")


def test_a_service_that_ended_by_itself_is_not_blamed_on_policy() -> None:
    guest = launcher_died(fresh_revert())
    guest.units[BLUEZ] = replace(guest.units[BLUEZ], exit_status=3)
    del guest.files[PolicyKind.SECCOMP_BIN, BLUEZ], guest.files[PolicyKind.SECCOMP_BIN2, BLUEZ]
    assert last(guest.look()).kind == "dead"


def test_a_launcher_that_died_of_damaged_policy_is_broken() -> None:
    guest = launcher_died(fresh_revert())
    key = (PolicyKind.SECCOMP_BIN, BLUEZ)
    cut = digest("cut short")
    guest.files[key] = replace(
        guest.files[key], changed=guest.files[key].modified, sha256=cut, parts={"whole": cut}
    )
    found = last(guest.look())
    assert (found.outcome, found.kind) == (Outcome.VIOLATED, "broken")


def test_a_launchers_status_with_good_policy_on_disk_proves_nothing() -> None:
    found = last(launcher_died(fresh_revert()).look())
    assert (found.outcome, found.kind) == (Outcome.UNPROVEN, "dead")


def test_damage_in_a_file_that_this_build_does_not_use_proves_nothing() -> None:
    guest = launcher_died(fresh_revert())
    key = (PolicyKind.SECCOMP_BIN2, BLUEZ)
    guest.files[key] = replace(guest.files[key], parts={}, sha256=digest("cut"))
    assert last(guest.look()).kind == "dead"


def test_a_boot_end_that_was_not_reached_is_unproven() -> None:
    guest = fresh_revert()
    guest.looks.pop()
    guest.events.pop()
    assert (last(guest, "boot 4").outcome, last(guest, "boot 4").kind) == (Outcome.UNPROVEN, "unseen")


def test_a_service_that_the_look_does_not_list_is_unproven() -> None:
    found = findings(fresh_revert(), "snap.other.daemon")
    assert {(f.outcome, f.kind, f.boot) for f in found} == {
        (Outcome.UNPROVEN, "unseen", b) for b in (1, 2, 3, 4)
    }


def test_a_main_process_that_was_not_seen_is_unproven() -> None:
    guest = fresh_revert().reboot().start_snapd().start_services()
    guest.processes[BLUEZ] = guest.processes[BLUEZ][1:]
    kinds = {(f.outcome, f.kind) for f in findings(guest.look()) if f.boot == 5 and f.subject == BLUEZ}
    assert (Outcome.UNPROVEN, "unseen") in kinds


@pytest.mark.parametrize("place", [0, None], ids=["removed first", "removed last"])
def test_only_services_that_the_plan_means_to_be_there_are_missed(place: int | None) -> None:
    timeline = fresh_revert(tags=(BLUEZ,)).timeline()
    install = PlannedStep("i", "install other", InstallSnap(SnapRef("other", "other", "o.snap")), 1.0)
    remove = PlannedStep("r", "remove other", RemoveSnap("other"), 1.0)
    steps = timeline.plan.steps
    steps = (install, remove, *steps) if place == 0 else (*steps, install, remove)
    changed = replace(timeline, plan=replace(timeline.plan, steps=steps))
    assert findings(changed, "snap.other.daemon") == ()
    there = replace(timeline, plan=replace(timeline.plan, steps=(install, *timeline.plan.steps)))
    assert {f.outcome for f in findings(there, "snap.other.daemon")} == {Outcome.UNPROVEN}


def test_an_image_with_the_same_snapd_does_not_take_the_cores_name() -> None:
    timeline = key_put_back().timeline()
    image = ArtifactUsed("image", "a-trixie", digest("image"), {"snapd": NEW.build})
    changed = replace(timeline, artifacts=(image, *timeline.artifacts))
    assert {f.author for f in findings(changed) if f.outcome == Outcome.VIOLATED} == {"2.68.3"}


def test_an_author_outside_of_the_catalogue_is_named_by_its_build() -> None:
    timeline = replace(key_put_back(streams=False).timeline(), artifacts=(OLD.artifact,))
    (found,) = [f for f in findings(timeline, BLUEZ) if f.outcome == Outcome.VIOLATED]
    assert found.author == ""
    assert f"build {NEW.build[:8]}" in found.summary
