# SPDX-License-Identifier: GPL-3.0-only
"""Each start has the mounts that the running snapd asks for, or it is said what it has instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.invariant.mounts_match_profile import judge
from harness.model.observation import PolicyKind
from harness.model.occurrence import (
    Executed,
    FileChanged,
    MountProfile,
    Namespace,
    Started,
    UnitChanged,
)
from harness.model.scenario import RebootHow
from harness.model.timeline import Timeline
from harness.model.verdict import Finding, Outcome
from tests.unit.builders import BLUEZ, NEW, OLD, Guest, begun, digest, fresh_revert
from tests.unit.start_findings import HELD, UNPROVEN, VIOLATED, edited, without

SNAP = "snap.bluez"
OLD_MOUNTS, NEW_MOUNTS = replace(OLD, mounts="old"), replace(NEW, mounts="new")
PUT_THERE = digest("put there")


def judged(run: Guest | Timeline, boot: int, **parameters: tuple[str, ...]) -> list[Finding]:
    timeline = run.timeline() if isinstance(run, Guest) else run
    return [finding for finding in judge(timeline, parameters) if finding.boot == boot]


def kinds(run: Guest | Timeline, boot: int) -> list[tuple[Outcome, str]]:
    return [(finding.outcome, finding.kind) for finding in judged(run, boot)]


def one_service(core: Any = OLD_MOUNTS) -> Guest:
    guest = Guest(streams=True, tags=(BLUEZ,)).power_on().install(core).start_services().look()
    return guest.reboot().start_snapd().start_services().look()


def refreshed() -> Guest:
    """A boot of each build, whose mount profiles differ, and the older one again, without a reboot."""
    guest = one_service().install(NEW_MOUNTS).look(boot_end=False)
    guest.reboot().start_snapd().start_services().look()
    return guest.revert(OLD_MOUNTS)


def with_mounts(run: Guest | Timeline, boot: int, **changes: Any) -> Timeline:
    def change(one: object) -> object:
        if isinstance(one, Started) and one.mount_profile:
            return replace(one, mount_profile=replace(one.mount_profile, **changes))
        return one

    return edited(run, boot, change)


# -- as desired


def test_the_main_job_has_no_mounts_to_make_and_holds() -> None:
    found = judge(fresh_revert(streams=True).timeline(), {})
    assert [(f.outcome, f.kind) for f in found] == [(HELD, "as-desired")] * 8
    assert {f.known_by for f in found} == {("vouched",)}


def test_mounts_of_the_running_build_hold_and_name_it() -> None:
    guest = refreshed().look(boot_end=False).reboot().start_snapd().start_services().look()
    assert [kinds(guest, boot) for boot in (1, 2, 3, 4)] == [[(HELD, "as-desired")]] * 4
    (found,) = judged(guest, 3)
    assert (found.author, found.known_by) == ("2.68.3", ("witnessed", "written"))
    says = [evidence.says for evidence in found.evidence]
    assert any("namespace own, devices none" in one for one in says)
    assert any("snapd 2.68.3 runs" in one for one in says)


def test_a_build_that_set_a_snap_up_without_a_profile_makes_none() -> None:
    """The key is older than the process, as where the core's snapd is the image's own build."""
    guest = Guest(streams=True, tags=(BLUEZ,)).power_on().install(OLD).start_services()
    key = guest.key
    assert key
    guest.key = replace(key, changed=0)  # type: ignore[arg-type]
    (found,) = judged(guest.look(), 1)
    assert (found.outcome, found.known_by) == (HELD, ("written",))


def test_a_look_that_is_not_whole_does_not_tell_that_there_is_no_profile() -> None:
    guest = Guest(streams=True, tags=(BLUEZ,)).power_on().install(OLD).start_services()
    assert kinds(guest.look(problems=("cannot read it",)), 1) == [(UNPROVEN, "unseen")]


def test_a_build_that_makes_a_profile_does_not_make_none_as_well() -> None:
    """Somebody took it away before this snapd went over all policy, and it did not come back."""
    guest = one_service()
    del guest.files[PolicyKind.MOUNT, SNAP]
    guest.key = None
    guest.install(replace(OLD_MOUNTS, mounts="")).look(boot_end=False)
    guest.reboot().start_snapd().start_services().look()
    (found,) = judged(guest, 3)
    assert (found.outcome, found.kind) == (UNPROVEN, "unseen")
    assert "no snap.bluez.fstab is of no known author" in found.summary


# -- not as desired


def test_a_profile_of_another_build_is_stale() -> None:
    guest = refreshed()
    guest.write(PolicyKind.MOUNT, SNAP, digest(SNAP, "new"))
    guest.reboot(RebootHow.RESET).start_services().start_snapd().look()
    (found,) = judged(guest, 4)
    assert (found.outcome, found.kind, found.author) == (VIOLATED, "stale", "2.68.3")
    assert "is of 2.68.3" in found.summary


def test_a_namespace_that_an_earlier_profile_made_lacks_what_the_profile_asks_for() -> None:
    guest = refreshed().start_service(BLUEZ).look()
    assert [f.kind for f in judged(guest, 3)] == ["as-desired", "absent"]
    found = judged(guest, 3)[-1]
    assert found.outcome == VIOLATED
    assert f"/{digest(SNAP, 'old')[:8]}" in found.summary


def put_there() -> Guest:
    guest = one_service()
    guest.write(PolicyKind.MOUNT, SNAP, PUT_THERE)
    guest.look()
    return guest.reboot(RebootHow.RESET).start_services().start_snapd().look()


def test_a_profile_that_no_snapd_wrote_is_foreign() -> None:
    (found,) = judged(put_there(), 3)
    assert (found.outcome, found.kind, found.author) == (VIOLATED, "foreign", "")
    assert "which is no snapd" in found.summary


def test_a_profile_put_there_after_the_running_snapd_vouched_for_all_is_foreign_too() -> None:
    guest = refreshed().look(boot_end=False)
    guest.write(PolicyKind.MOUNT, SNAP, PUT_THERE)
    guest.look()
    guest.reboot(RebootHow.RESET).start_services().start_snapd().look()
    assert kinds(guest, 4) == [(VIOLATED, "foreign")]


def test_a_profile_whose_writer_was_not_seen_proves_nothing() -> None:
    unwritten = without(put_there(), 2, FileChanged, when=lambda one: one.sha256 == PUT_THERE)
    assert kinds(unwritten, 3)[0][0] != VIOLATED


def test_who_wrote_something_else_before_is_not_the_writer() -> None:
    guest = one_service()
    guest.write(PolicyKind.MOUNT, SNAP, digest("something else"))
    guest.write(PolicyKind.MOUNT, SNAP, PUT_THERE)
    guest.reboot(RebootHow.RESET).start_services().start_snapd().look()
    unwritten = without(guest, 2, FileChanged, when=lambda one: one.sha256 == PUT_THERE)
    assert kinds(unwritten, 3)[0][0] != VIOLATED


def test_a_writer_that_is_a_snapd_by_another_word_is_not_somebody_else() -> None:
    guest = one_service()
    daemon = guest.stream.daemon
    guest.write(PolicyKind.MOUNT, SNAP, PUT_THERE, writer=daemon)
    guest.reboot(RebootHow.RESET).start_services().start_snapd().look()
    unseen = without(guest, 2, Executed, when=lambda one: one.pid == daemon)
    assert kinds(unseen, 3) == [(UNPROVEN, "unseen")]


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"missing": ("/var/lib/x",)}, "absent", "it lacks what was mounted for its snap: /var/lib/x"),
        ({"pending": ("/var/lib/y",)}, "absent", "it lacks what its profile asks for: /var/lib/y"),
        ({"surplus": ("/var/lib/z",)}, "stale", "an earlier profile asked for: /var/lib/z"),
        ({"namespace": Namespace.SYSTEM}, "absent", "the system's own mount namespace"),
    ],
)
def test_other_mounts_than_its_profiles_violate(changes: dict[str, Any], kind: str, says: str) -> None:
    (found,) = judged(with_mounts(one_service(), 2, **changes), 2)
    assert (found.outcome, found.kind) == (VIOLATED, kind)
    assert says in found.summary


# -- not known


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"problem": "a profile changed after the start"}, "a profile changed after the start"),
        ({"namespace": Namespace.UNREAD}, "was not read"),
        ({"current": ""}, "no word of what it mounted"),
        ({"desired": digest("unknown")}, "is of no known author"),
    ],
)
def test_what_was_not_read_or_is_not_known_proves_nothing(changes: dict[str, Any], says: str) -> None:
    (found,) = judged(with_mounts(one_service(), 2, **changes), 2)
    assert (found.outcome, found.kind, found.author) == (UNPROVEN, "unseen", "")
    assert says in found.summary


def test_a_record_of_before_mounts_were_read_proves_nothing() -> None:
    def older(one: object) -> object:
        return replace(one, mount_profile=None) if isinstance(one, Started) else one

    assert kinds(edited(one_service(), 2, older), 2) == [(UNPROVEN, "unseen")]


def test_a_snap_of_which_no_service_has_a_namespace_may_be_classic() -> None:
    run: Any = one_service()
    for boot in (1, 2):
        run = with_mounts(run, boot, namespace=Namespace.SYSTEM, pending=(), missing=())
    assert kinds(run, 2) == [(UNPROVEN, "unseen")]


def test_no_start_proves_nothing() -> None:
    guest = one_service()
    assert kinds(without(guest, 2, Started, Executed, UnitChanged), 2)[0][0] == UNPROVEN
    assert {f.outcome for f in judge(begun(streams=False).timeline(), {})} == {UNPROVEN}
    empty = replace(guest.timeline(), boots=())
    assert [(f.outcome, f.kind) for f in judge(empty, {})] == [(UNPROVEN, "nothing-to-judge")]


def test_only_the_services_asked_for_are_judged() -> None:
    assert {f.subject for f in judge(fresh_revert(streams=True).timeline(), {"services": (BLUEZ,)})} == {
        BLUEZ
    }


def test_nothing_is_read_of_a_start_by_default() -> None:
    assert MountProfile().namespace == Namespace.UNREAD
