# SPDX-License-Identifier: GPL-3.0-only
"""What lies on disk at a boot's end, what a revert brings back, and whether services waited for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.model.clock import SECOND, GuestTime, WallTime
from harness.model.observation import PolicyKind
from harness.model.occurrence import Executed, FilterInstalled, Lost, Source, Started, UnitChanged
from harness.model.plan import ConnectPlug, PlannedStep, StartChange
from harness.model.scenario import RebootHow
from harness.model.timeline import Timeline
from harness.model.verdict import Finding, Outcome
from harness.policy.daemons import UNIT
from harness.registry import JUDGES
from tests.unit.builders import (
    BLUEZ,
    NEW,
    OLD,
    TAGS,
    Guest,
    begun,
    digest,
    fresh_revert,
    key_put_back,
    stale_seccomp,
)
from tests.unit.start_findings import HELD, UNPROVEN, VIOLATED, one_service, without

SOURCE, BIN, BIN2 = PolicyKind.SECCOMP_SOURCE, PolicyKind.SECCOMP_BIN, PolicyKind.SECCOMP_BIN2
PROFILE, CACHE = PolicyKind.APPARMOR_SOURCE, PolicyKind.APPARMOR_CACHE


def found(name: str, run: Guest | Timeline, boot: int, tag: str = BLUEZ) -> list[Finding]:
    timeline = run if isinstance(run, Timeline) else run.timeline()
    return [f for f in JUDGES[name](timeline, {}) if f.boot == boot and f.subject in (tag, f"boot {boot}")]


def told(findings: list[Finding]) -> list[tuple[Outcome, str]]:
    return [(f.outcome, f.kind) for f in findings]


# -- one policy on disk


def on_disk(run: Guest | Timeline, boot: int, tag: str = BLUEZ) -> list[tuple[Outcome, str]]:
    return told(found("one-policy-on-disk", run, boot, tag))


def test_the_main_job_leaves_one_policy_and_what_is_never_read() -> None:
    guest = fresh_revert()
    assert on_disk(guest, 2) == [(HELD, "one")]
    assert on_disk(guest, 3) == [(HELD, "leftover"), (HELD, "one")]
    assert on_disk(guest, 4) == [(HELD, "leftover"), (HELD, "one")]
    (leftover, one) = found("one-policy-on-disk", guest, 4)
    assert f"{BLUEZ}.bin2 is left over" in leftover.summary
    assert one.author == "2.57.6"
    assert on_disk(guest, 3, "global") == [(HELD, "leftover")]
    assert on_disk(guest, 4, "global") == []


def test_another_builds_policy_where_it_would_be_used_is_foreign() -> None:
    findings = found("one-policy-on-disk", key_put_back(streams=False), 4)
    assert {f.kind for f in findings if f.outcome == VIOLATED} == {"foreign"}
    assert {f.author for f in findings if f.outcome == VIOLATED} == {"2.68.3"}
    assert (HELD, "one") not in told(findings)
    assert {f.known_by for f in findings if f.kind == "foreign"} >= {("written",), ("compiled",)}


def changed(guest: Guest, key: tuple[PolicyKind, str], **changes: Any) -> Guest:
    guest.files[key] = replace(guest.files[key], **changes)
    return guest.look()


def test_another_builds_compiled_filter_is_foreign() -> None:
    guest = stale_seccomp(tags=(BLUEZ,)).install(OLD).look()
    foreign = guest.files[BIN, BLUEZ]
    guest.install(NEW).look()
    parts = {"whole": digest("bin2 as bin")}
    assert on_disk(changed(guest, (BIN2, BLUEZ), sha256=digest("x"), parts=parts), 3)[-1] == (
        UNPROVEN,
        "unseen",
    )
    assert on_disk(changed(guest, (BIN, BLUEZ), sha256=foreign.sha256), 3)[-2][1] == "leftover"


def test_policy_of_no_known_author_is_unseen() -> None:
    guest = changed(begun(tags=(BLUEZ,)).reboot().start_snapd(), (PROFILE, BLUEZ), sha256=digest("by hand"))
    assert (UNPROVEN, "unseen") in on_disk(guest, 3)
    assert (HELD, "one") not in on_disk(guest, 3)


def test_policy_that_is_not_there_is_missing() -> None:
    guest = begun(tags=(BLUEZ,)).reboot().start_snapd().start_services()
    del guest.files[BIN, BLUEZ]
    assert on_disk(guest.look(), 3) == [(VIOLATED, "missing")]


def test_an_older_cache_than_its_source_is_left_over() -> None:
    guest = begun(tags=(BLUEZ,))
    old = guest.files[CACHE, BLUEZ]
    guest.install(NEW).look(boot_end=False)
    source = guest.files[PROFILE, BLUEZ]
    usable = changed(guest, (CACHE, BLUEZ), sha256=old.sha256, changed=old.changed, modified=source.modified)
    assert (VIOLATED, "foreign") in on_disk(usable, 2)
    guest.looks.pop()
    guest.events.pop()
    stale = changed(guest, (CACHE, BLUEZ), sha256=old.sha256, modified=old.modified)
    assert (HELD, "leftover") in on_disk(stale, 2)
    assert (VIOLATED, "foreign") not in on_disk(stale, 2)


def test_what_a_removed_snap_and_other_cores_left_is_left_over() -> None:
    guest = fresh_revert(tags=(BLUEZ,))
    profile = guest.files[PROFILE, BLUEZ]
    for name in ("snap-confine.core.2.57.6", "snap-confine.core.2.68.3"):
        guest.files[PROFILE, name] = replace(profile, name=name, path=profile.path.replace(BLUEZ, name))
    timeline = guest.look().timeline()
    assert on_disk(timeline, 4, "snap-confine.core.2.68.3") == [(HELD, "leftover")]
    assert on_disk(timeline, 4, "snap-confine.core.2.57.6") == []


def test_a_disk_that_was_not_read_or_under_no_snapd_proves_nothing() -> None:
    problem = begun().look(problems=("cannot read /var/lib/snapd",))
    assert (UNPROVEN, "unseen") in on_disk(problem, 2, "look")
    nobody = begun().look(snapd=None)
    assert (UNPROVEN, "unseen") in on_disk(nobody, 2, "snapd")


# -- what a revert brings back


def restored(run: Guest | Timeline, boot: int = 4, tag: str = BLUEZ) -> list[tuple[Outcome, str]]:
    return told(found("revert-restores-policy", run, boot, tag))


def test_the_main_job_restores_the_policy_of_before() -> None:
    assert [restored(fresh_revert(), tag=tag) for tag in TAGS] == [[(HELD, "restored")]] * 2


def test_the_control_does_not() -> None:
    (one,) = found("revert-restores-policy", key_put_back(), 4)
    assert (one.outcome, one.kind) == (VIOLATED, "changed")
    assert "the profile in the kernel was" in one.summary
    assert ".bin was" not in one.summary


def revert_with(**parts: Any) -> Guest:
    guest = begun(tags=(BLUEZ,)).install(NEW).look(boot_end=False)
    guest.reboot().start_snapd().start_services().look()
    guest.revert(OLD).look(boot_end=False)
    guest.reboot().start_snapd().start_services()
    return guest.change_process(BLUEZ, **parts) if parts else guest


def test_other_filters_in_the_kernel_are_a_change() -> None:
    guest = revert_with(filters=())
    assert restored(guest.look()) == [(UNPROVEN, "unseen")]
    filters = guest.processes[BLUEZ][1].filters
    other = (*filters[:-1], replace(filters[-1], sha256=digest("other")))
    assert restored(revert_with(filters=other).look()) == [(VIOLATED, "changed")]


def test_a_file_that_is_gone_is_a_change() -> None:
    guest = revert_with()
    del guest.files[SOURCE, BLUEZ]
    (one,) = found("revert-restores-policy", guest.look(), 4)
    assert (one.outcome, one.kind) == (VIOLATED, "changed")
    assert ".src is gone" in one.summary


def test_what_was_not_looked_at_proves_nothing() -> None:
    timeline = fresh_revert().timeline()
    boots = (*timeline.boots[:3], replace(timeline.boots[3], looks=()))
    assert [f.outcome for f in JUDGES["revert-restores-policy"](replace(timeline, boots=boots), {})] == [
        UNPROVEN
    ]
    guest = revert_with().look(problems=("cannot read x",))
    assert (UNPROVEN, "unseen") in restored(guest, tag="look")
    assert [f.outcome for f in JUDGES["revert-restores-policy"](begun().timeline(), {})] == [UNPROVEN]


def test_a_revert_that_is_only_started_counts_and_other_steps_between_leave_it_open() -> None:
    timeline = fresh_revert(tags=(BLUEZ,)).timeline()

    def with_steps(change: Any) -> Timeline:
        steps = [step for old in timeline.plan.steps for step in change(old)]
        return replace(timeline, plan=replace(timeline.plan, steps=tuple(steps)))

    def started(step: PlannedStep) -> list[PlannedStep]:
        return [replace(step, action=StartChange(step.action)) if step.title == "revert core" else step]  # type: ignore[arg-type]

    def connected(step: PlannedStep) -> list[PlannedStep]:
        connect = PlannedStep("c", "connect", ConnectPlug("bluez:x"), 1.0)
        return [connect, step] if step.title == "revert core" else [step]

    assert restored(with_steps(started)) == [(HELD, "restored")]
    assert {f.kind for f in JUDGES["revert-restores-policy"](with_steps(connected), {})} == {"reconnected"}


# -- services after policy


def ordered(run: Guest | Timeline, boot: int) -> list[tuple[Outcome, str]]:
    return told(found("services-after-policy", run, boot))


def test_a_start_after_ready_is_held_with_how_long_it_took() -> None:
    guest = one_service().reboot().start_snapd().start_service(BLUEZ, waited=7).look()
    (one,) = found("services-after-policy", guest, 3)
    assert (one.outcome, one.kind) == (HELD, "after-ready")
    assert "its launcher took 7.00 s" in one.summary


def test_a_start_with_the_key_in_place_is_guarded() -> None:
    guest = one_service().reboot().start_services().start_snapd().look()
    assert ordered(guest, 3) == [(HELD, "guarded")]


def clock_set_back() -> Guest:
    """A boot in which the key that is in place is from the future."""
    guest = one_service()
    assert guest.key
    guest.key = replace(guest.key, changed=WallTime(guest.wall + 86400 * SECOND))
    return guest.reboot()


def test_a_key_from_the_future_is_in_place_when_the_witness_saw_nobody_write_it() -> None:
    assert ordered(clock_set_back().start_services().start_snapd().look(), 3) == [(HELD, "guarded")]


@pytest.mark.parametrize("lost_at", [2, 3600], ids=["before the look", "about the look"])
def test_a_key_from_the_future_proves_nothing_when_a_write_may_have_been_missed(lost_at: int) -> None:
    guest = clock_set_back().start_services().start_snapd()
    now = guest.stream.now()
    gap = Lost(
        at=GuestTime(now + lost_at * SECOND), source=Source.FILES, since=GuestTime(0), why="queue full"
    )
    guest.stream.say(gap)
    guest.tick(3)
    assert ordered(guest.look(), 3) == [(UNPROVEN, "gap"), (UNPROVEN, "unseen")]


def test_a_key_from_the_future_that_was_written_after_the_start_proves_nothing() -> None:
    guest = clock_set_back().start_services().start_snapd()
    guest.stream.key(guest.stream.runs("/usr/bin/cp", 800), guest.key.sha256 if guest.key else "")
    assert ordered(guest.look(), 3) == [(UNPROVEN, "unseen")]


def without_key(guest: Guest) -> Guest:
    guest.key = None
    guest.stream.key(guest.stream.runs("/usr/bin/rm", 800), "")
    return guest


def test_a_start_with_neither_is_early() -> None:
    guest = without_key(one_service()).reboot().start_services().start_snapd().look()
    assert ordered(guest, 3) == [(VIOLATED, "early")]


def test_a_launch_without_snap_run_is_early_although_the_key_is_in_place() -> None:
    """Only `snap` compares the key; somebody executes snap-confine by himself."""
    guest = one_service().reboot().start_services().start_snapd().look()
    bare = without(guest, 3, Executed, when=lambda one: one.exe.endswith("/bin/snap"))
    assert ordered(bare, 3) == [(VIOLATED, "early")]
    unseen = without(guest, 3, Executed, when=lambda one: BLUEZ in one.unit)
    assert ordered(unseen, 3) == [(UNPROVEN, "unseen")]


@pytest.mark.parametrize(
    ("kinds", "when"),
    [
        ((UnitChanged,), lambda one: one.unit.name == UNIT),
        ((Started,), lambda one: True),  # noqa: ARG005
    ],
    ids=["ready", "start"],
)
def test_what_was_not_seen_proves_no_order(kinds: tuple[type, ...], when: Any) -> None:
    guest = without_key(one_service()).reboot().start_services().start_snapd().look()
    assert (UNPROVEN, "unseen") in ordered(without(guest, 3, *kinds, when=when), 3)


def test_a_boot_that_nobody_watched_proves_no_order() -> None:
    assert ordered(begun(streams=False), 2) == [(UNPROVEN, "gap")]


def test_a_launcher_that_never_executed_its_service_did_not_start_it() -> None:
    guest = one_service().reboot()
    cut = digest("cut")
    guest.write(BIN, BLUEZ, cut, {"whole": cut})
    guest.fail_launch(BLUEZ, sub="auto-restart").start_snapd()
    guest.write(BIN, BLUEZ, digest("y"), OLD.programs(BLUEZ), guest.stream.daemon)
    guest.start_service(BLUEZ, restarts=1).look()
    assert ordered(guest, 3) == [(HELD, "after-ready")]


def test_parameters_choose_the_services() -> None:
    parameters: Mapping[str, tuple[str, ...]] = {"services": (BLUEZ,)}
    found_of = JUDGES["services-after-policy"](fresh_revert(streams=True).timeline(), parameters)
    assert {f.subject for f in found_of} == {BLUEZ}


def test_a_boot_cut_short_is_judged_too() -> None:
    guest = without_key(one_service()).reboot().start_services().start_snapd()
    guest.reboot(RebootHow.RESET).start_snapd().start_services().look()
    assert ordered(guest, 3) == [(VIOLATED, "early")]


def test_a_filter_alone_tells_of_a_start() -> None:
    guest = one_service().reboot().start_snapd()
    pid = guest.next_pid()
    guest.stream.launches(BLUEZ, pid, OLD.name, until=3)
    guest.stream.say(FilterInstalled(at=guest.now, pid=pid))
    assert (UNPROVEN, "unseen") in ordered(guest.look(), 3)
