# SPDX-License-Identifier: GPL-3.0-only
"""Every start of every boot is judged, also those that no look could have seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.model.clock import SECOND, GuestTime
from harness.model.observation import PolicyKind
from harness.model.occurrence import (
    Executed,
    FilterInstalled,
    Lost,
    Occurrence,
    Source,
    Started,
    UnitChanged,
    Watching,
)
from harness.model.scenario import RebootHow
from harness.policy.daemons import UNIT
from tests.unit.builders import (
    BLUEZ,
    NETWORK,
    NEW,
    OLD,
    Guest,
    digest,
    fresh_revert,
    key_put_back,
    stale_seccomp,
)
from tests.unit.start_findings import (
    HELD,
    UNPROVEN,
    VIOLATED,
    edited,
    findings,
    one_service,
    starts,
    told,
    without,
)

# -- fresh, and how it is known


def test_every_start_of_the_main_job_is_fresh() -> None:
    guest = fresh_revert(streams=True)
    for boot in (1, 2, 3, 4):
        for tag in (BLUEZ, NETWORK):
            assert told(starts(guest, boot, tag)) == [(HELD, "fresh")]


def test_a_fresh_start_names_its_author_and_every_way_it_is_known() -> None:
    (found,) = starts(fresh_revert(streams=True), 3)
    assert found.author == "2.68.3"
    assert found.known_by == ("compiled", "witnessed", "written")
    says = [evidence.says for evidence in found.evidence]
    assert any("was written by snap-seccomp of snapd 2.68.3" in one for one in says)
    assert any("was written while snapd 2.68.3 ran" in one for one in says)
    assert any("snapd 2.68.3 runs" in one for one in says)


def test_two_starts_of_a_boot_are_both_told_of() -> None:
    guest = one_service().reboot().start_snapd()
    guest.start_service(BLUEZ).start_service(BLUEZ, restarts=1).look()
    (found,) = starts(guest, 3)
    assert told([found]) == [(HELD, "fresh")]
    assert "at 13.50 s, 14.00 s under policy" in found.summary


def test_policy_that_no_look_saw_is_known_by_its_writer() -> None:
    """In the boot that a snap is installed in, its policy is written anew when a plug is connected."""
    guest = Guest(streams=True, tags=(BLUEZ,)).power_on().install(OLD)
    first = guest.files[PolicyKind.SECCOMP_BIN, BLUEZ]
    guest.start_services()
    daemon = guest.stream.daemon
    tool = guest.stream.runs("/snap/core/2.57.6/usr/lib/snapd/snap-seccomp", daemon, OLD.compiler)
    parts = {"whole": digest("connected")}
    guest.write(PolicyKind.SECCOMP_BIN, BLUEZ, digest("connected"), parts, tool)
    guest.start_service(BLUEZ).look()
    assert first.sha256 not in {file.sha256 for file in guest.looks[0][1].files}
    assert told(starts(guest, 1)) == [(HELD, "fresh"), (HELD, "fresh")]


# -- stale


def test_a_start_that_was_stale_counts_although_its_restart_was_fresh() -> None:
    """Failed at second 12 and restarted at second 20: twice."""
    guest = one_service().install(NEW).look(boot_end=False)
    guest.reboot().start_snapd().start_services().look()
    guest.revert(OLD, start=False)
    guest.reboot(RebootHow.RESET).start_service(BLUEZ)
    guest.start_snapd().start_service(BLUEZ, restarts=1).look()
    assert told(starts(guest, 4)) == [(VIOLATED, "stale"), (HELD, "fresh")]
    assert starts(guest, 4)[0].author == "2.68.3"
    assert "AppArmor" in starts(guest, 4)[0].summary


def test_the_controls_are_stale_from_the_start() -> None:
    assert [(f.kind, f.author) for f in starts(key_put_back(streams=True), 4)] == [("stale", "2.68.3")]
    assert [(f.kind, f.author) for f in starts(stale_seccomp(streams=True), 3)] == [("stale", "2.77.1")]


def test_a_start_before_any_snapd_is_read_against_the_first() -> None:
    guest = one_service().reboot().start_services().start_snapd().install(NEW).look()
    assert told(starts(guest, 3)) == [(HELD, "fresh")]
    assert "2.57.6" in starts(guest, 3)[0].summary


def test_a_start_after_a_change_is_read_against_the_snapd_of_then() -> None:
    guest = one_service().install(NEW).start_service(BLUEZ).look()
    assert [(f.kind, f.author) for f in starts(guest, 2)] == [("fresh", "2.57.6"), ("fresh", "2.68.3")]


# -- luck


def unguarded() -> Guest:
    """The key is gone, so the start is only fresh because the policy happened to be right already."""
    guest = one_service()
    guest.key = None
    guest.stream.key(guest.stream.runs("/usr/bin/rm", 800), "")
    return guest.reboot().start_services().start_snapd().look()


def test_a_start_that_nothing_would_have_held_back_is_lucky() -> None:
    (found,) = starts(unguarded(), 3)
    assert told([found]) == [(HELD, "lucky")]
    assert "before READY" in found.summary


def test_luck_is_violated_under_strict_ordering() -> None:
    assert told(starts(unguarded(), 3, strict=("ordering",))) == [(VIOLATED, "lucky")]


def test_a_start_guarded_by_the_key_is_fresh_also_under_strict_ordering() -> None:
    guest = one_service().reboot().start_services().start_snapd().look()
    assert told(starts(guest, 3, strict=("ordering",))) == [(HELD, "fresh")]


def test_a_start_after_ready_needs_no_key() -> None:
    guest = one_service().reboot().start_snapd()
    guest.key = None
    guest.tick()
    guest.stream.key(guest.stream.runs("/usr/bin/rm", 800), "")
    assert told(starts(guest.start_services().look(), 3, strict=("ordering",))) == [(HELD, "fresh")]


def test_a_key_of_another_build_is_no_guard() -> None:
    guest = one_service().put_key(NEW).look(boot_end=False)
    guest.reboot().start_services().start_snapd().look()
    assert told(starts(guest, 3)) == [(HELD, "lucky")]


def test_a_key_that_nobody_ever_read_is_no_luck_and_no_guard() -> None:
    guest = one_service().put_key(NEW).reboot().start_services().start_snapd().look()
    assert told(starts(guest, 3)) == [(HELD, "fresh")]
    assert told(starts(guest, 3, strict=("ordering",))) == [(UNPROVEN, "fresh")]


def test_systemd_counts_a_start_before_its_process_has_executed_anything() -> None:
    """It stamps the unit active when it forks, in a slow guest seconds earlier."""
    guest = one_service()

    def earlier(one: Occurrence) -> Occurrence:
        if isinstance(one, UnitChanged) and one.unit.name != UNIT:
            return replace(one, at=GuestTime(one.at - 9 * SECOND))
        return one

    assert told(starts(edited(guest, 2, earlier), 2)) == [(HELD, "fresh")]


def test_a_start_of_which_nobody_told_whose_it_is_leaves_the_boot_open() -> None:
    def nameless(one: Occurrence) -> Occurrence:
        if isinstance(one, Executed):
            return replace(one, unit="", argv=())
        return replace(one, tag="") if isinstance(one, Started) else one

    timeline = edited(one_service(), 2, nameless)
    unread = edited(timeline, 2, lambda one: None if isinstance(one, Started) else one)
    for run in (timeline, unread):
        found = [f for f in findings(run) if f.boot == 2]
        assert any("nobody told" in f.summary and f.outcome == UNPROVEN for f in found)
        assert not any("started at" in f.summary for f in found)


def test_a_start_that_was_read_needs_no_other_word_of_whose_it_is() -> None:
    def nameless(one: Occurrence) -> Occurrence:
        return replace(one, unit="", argv=()) if isinstance(one, Executed) else one

    assert told(starts(edited(one_service(), 2, nameless), 2)) == [(HELD, "fresh")]


def test_a_ready_that_was_not_seen_proves_no_order() -> None:
    timeline = without(unguarded(), 3, UnitChanged, when=lambda one: one.unit.name == UNIT)
    assert told(starts(timeline, 3)) == [(HELD, "lucky")]
    assert told(starts(timeline, 3, strict=("ordering",))) == [(UNPROVEN, "lucky")]


def test_a_key_that_only_the_time_before_tells_of_is_not_enough_for_strictness() -> None:
    """No look of this boot shows that the key was still there."""
    guest = one_service().reboot().start_services().start_snapd()
    assert told(starts(guest, 3)) == [(HELD, "fresh")]
    assert told(starts(guest, 3, strict=("ordering",))) == [(UNPROVEN, "fresh")]


# -- what was not seen


def test_a_start_that_was_not_read_is_unseen() -> None:
    found = starts(without(one_service(), 2, Started), 2)
    assert (UNPROVEN, "unseen") in told(found)
    assert (HELD, "fresh") not in told(found)


def test_a_filter_without_a_reading_tells_of_a_start() -> None:
    guest = one_service().reboot().start_snapd()
    pid = guest.next_pid()
    guest.stream.launches(BLUEZ, pid, "2.57.6", until=3)
    guest.stream.say(FilterInstalled(at=guest.now, pid=pid))
    assert (UNPROVEN, "unseen") in told(starts(guest.look(), 3))


def test_a_process_that_had_gone_before_it_was_read_is_unseen() -> None:
    def gone(one: Occurrence) -> Occurrence:
        return replace(one, process=None, profile=None) if isinstance(one, Started) else one

    assert told(starts(edited(one_service(), 2, gone), 2)) == [(UNPROVEN, "unseen")]


def test_a_process_in_a_look_that_nobody_saw_execute_is_unseen() -> None:
    guest = one_service()
    pid = guest.processes[BLUEZ][0].pid
    timeline = without(
        guest, 2, Started, Executed, FilterInstalled, UnitChanged, when=lambda one: about(one, pid)
    )
    found = starts(timeline, 2)
    assert told(found) == [(UNPROVEN, "unseen")]
    assert "nobody saw process" in found[0].summary


def about(one: Occurrence, pid: int) -> bool:
    return one.unit.main_pid == pid if isinstance(one, UnitChanged) else getattr(one, "pid", 0) == pid


def test_restarts_that_systemd_counts_beyond_those_seen_are_unseen() -> None:
    guest = one_service().reboot().start_snapd().start_service(BLUEZ, restarts=2).look()
    found = starts(guest, 3)
    assert (UNPROVEN, "unseen") in told(found)
    assert any("2 more starts" in one.summary for one in found)


def test_a_service_that_runs_unconfined_at_its_start_is_unconfined() -> None:
    def bare(one: Occurrence) -> Occurrence:
        if isinstance(one, Started) and one.process:
            return replace(one, process=replace(one.process, filters=(), seccomp_mode=0))
        return one

    assert told(starts(edited(one_service(), 2, bare), 2)) == [(VIOLATED, "unconfined")]


def test_a_start_without_any_policy_is_missing() -> None:
    guest = one_service()
    for key in [key for key in guest.files if key[1] == BLUEZ]:
        guest.stream.deletes(guest.stream.runs("/usr/bin/rm", 800), guest.files.pop(key))
    guest.tick()

    def bare(one: Occurrence) -> Occurrence:
        if isinstance(one, Started) and one.process:
            process = replace(one.process, filters=(), seccomp_mode=0, label="unconfined", label_mode="")
            return replace(one, at=guest.now, process=process, profile=None)
        return one

    assert (VIOLATED, "missing") in told(starts(edited(guest, 2, bare), 2))


# -- which snapd ran


def test_a_snapd_whose_execution_was_not_seen_is_known_by_a_look() -> None:
    guest = one_service()
    timeline = without(guest, 2, Executed, when=lambda one: one.exe.endswith("/snapd"))
    assert told(starts(timeline, 2)) == [(HELD, "fresh")]


def test_a_snapd_that_only_systemd_tells_of_leaves_starts_open() -> None:
    guest = one_service().install(NEW).install(OLD).start_service(BLUEZ).look()
    daemon = guest.stream.daemon - 1
    timeline = without(guest, 2, Executed, when=lambda one: one.pid == daemon)
    assert told(starts(timeline, 2)) == [(HELD, "fresh")]
    between = one_service().install(NEW).start_service(BLUEZ).install(OLD).start_service(BLUEZ).look()
    hidden = without(between, 2, Executed, when=lambda one: one.pid == between.stream.daemon - 1)
    assert (UNPROVEN, "unseen") in told(starts(hidden, 2))


def test_a_snapd_that_seems_not_to_have_handed_over_leaves_starts_open() -> None:
    """The second of its two executions is missing, and no look saw it."""
    guest = one_service().install(NEW).start_service(BLUEZ).install(OLD).start_service(BLUEZ).look()
    pid = guest.stream.daemon - 1
    timeline = without(guest, 2, Executed, when=lambda one: one.pid == pid and one.exe.startswith("/snap/"))
    assert (UNPROVEN, "unseen") in told(starts(timeline, 2))


# -- gaps


@pytest.mark.parametrize("source", [Source.EXECS, Source.STARTS])
def test_what_was_not_watched_from_the_first_start_on_is_a_gap(source: Source) -> None:
    def late(one: Occurrence) -> Occurrence:
        if isinstance(one, Watching) and one.source == source:
            return replace(one, since=GuestTime(60 * SECOND))
        return one

    found = starts(edited(one_service(), 2, late), 2)
    assert (UNPROVEN, "gap") in told(found)
    never = without(one_service(), 2, Watching, when=lambda one: one.source == source)
    assert (UNPROVEN, "gap") in told(starts(never, 2))


@pytest.mark.parametrize(
    ("source", "kinds"), [(Source.STARTS, ["gap"]), (Source.FILES, ["gap"]), (Source.PROFILES, [])]
)
def test_what_was_lost_is_a_gap(source: Source, kinds: list[str]) -> None:
    guest = one_service()
    guest.stream.say(Lost(at=guest.now, source=source, since=GuestTime(0), why="the buffer was full"))
    found = [f for f in starts(guest, 2) if f.outcome == UNPROVEN]
    assert [f.kind for f in found] == kinds
