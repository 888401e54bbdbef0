# SPDX-License-Identifier: GPL-3.0-only
"""Who was seen to write policy, and where that does not fit what else is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.judge import judge
from harness.model.clock import SECOND, GuestTime, WallTime
from harness.model.observation import PolicyKind
from harness.model.occurrence import Executed, FileChanged, Source, Watching
from harness.model.timeline import SeenOccurrence, Timeline
from harness.model.verdict import Outcome
from harness.policy.authorship import KnownBy
from harness.policy.contradiction import contradictions
from harness.policy.kind import GLOBAL_PROGRAM
from harness.policy.knowledge import Knowledge
from tests.unit.builders import BLUEZ, NEW, OLD, Guest, begun, digest, fresh_revert

BIN = PolicyKind.SECCOMP_BIN
SOURCE = PolicyKind.SECCOMP_SOURCE
OLD_WHOLE = OLD.programs(BLUEZ)["whole"]


def one_service() -> Guest:
    return begun(streams=True, tags=(BLUEZ,))


def unlooked() -> Guest:
    """Policy is written, and no look ever sees it: only who wrote it can tell."""
    return Guest(streams=True, tags=(BLUEZ,)).power_on().install(OLD).start_services()


def ways(run: Guest | Timeline, kind: PolicyKind, content: str) -> set[tuple[str, KnownBy]]:
    timeline = run if isinstance(run, Timeline) else run.timeline()
    claims = Knowledge.of(timeline).authors.of_digest(kind, BLUEZ, content)
    return {(claim.build, claim.known_by) for claim in claims}


def edited(run: Guest, change: Any) -> Timeline:
    timeline = run.timeline()
    boots = tuple(
        replace(
            boot,
            occurrences=tuple(SeenOccurrence(o.line, change(o.occurrence)) for o in boot.occurrences),
        )
        for boot in timeline.boots
    )
    return replace(timeline, boots=boots)


def program(name: str, **changes: Any) -> Any:
    """A change of what is told of one program's executions."""

    def change(one: object) -> object:
        return replace(one, **changes) if isinstance(one, Executed) and one.exe.endswith(name) else one

    return change


# -- writing


def test_what_snapd_and_its_compiler_write_is_theirs() -> None:
    witnessed = {(OLD.build, KnownBy.WITNESSED)}
    guest = unlooked()
    assert ways(guest, BIN, OLD_WHOLE) == witnessed
    assert ways(guest, SOURCE, digest("src", BLUEZ, OLD.name)) == witnessed
    assert ways(guest, PolicyKind.APPARMOR_SOURCE, digest("profile", BLUEZ, OLD.name)) == witnessed


def test_a_cache_is_of_the_snapd_whose_parser_wrote_it_after_that_snapd_wrote_the_source() -> None:
    cache = digest("cache", digest("profile", BLUEZ, OLD.name))
    assert ways(unlooked(), PolicyKind.APPARMOR_CACHE, cache) == {(OLD.build, KnownBy.WITNESSED)}


def test_a_cache_that_the_boot_time_loader_writes_is_of_no_snapd() -> None:
    guest = unlooked()
    content = digest("compiled by the loader")
    guest.reboot()
    loader = guest.stream.runs("/usr/lib/snapd/snapd-apparmor", 1)
    parser = guest.stream.runs("/usr/sbin/apparmor_parser", loader)
    guest.write(PolicyKind.APPARMOR_CACHE, BLUEZ, content, writer=parser)
    assert ways(guest, PolicyKind.APPARMOR_CACHE, content) == set()


def test_a_cache_is_of_the_snapd_that_wrote_the_source_last_before() -> None:
    guest = unlooked()
    first = guest.stream.daemon
    parser = guest.stream.runs("/usr/sbin/apparmor_parser", first)
    guest.write(PolicyKind.APPARMOR_CACHE, BLUEZ, digest("of the first"), writer=parser)
    guest.install(NEW)
    guest.write(PolicyKind.APPARMOR_CACHE, BLUEZ, digest("of neither"), writer=parser)
    cache = PolicyKind.APPARMOR_CACHE
    assert ways(guest, cache, digest("of the first")) == {(OLD.build, KnownBy.WITNESSED)}
    assert ways(guest, cache, digest("of neither")) == set()


def test_a_parsers_own_children_execute_nothing_and_compile_what_lies_there() -> None:
    cache, content = PolicyKind.APPARMOR_CACHE, digest("by a child of the parser")
    guest = unlooked()
    guest.write(cache, BLUEZ, content, writer=guest.stream.pid())
    assert ways(guest, cache, content) == {(OLD.build, KnownBy.WITNESSED)}
    later = unlooked().reboot()
    later.write(cache, BLUEZ, content, writer=later.stream.pid())
    assert ways(later, cache, content) == set()
    by_hand = unlooked()
    by_hand.write(PolicyKind.APPARMOR_SOURCE, BLUEZ, digest("put there"))
    by_hand.write(cache, BLUEZ, content, writer=by_hand.stream.pid())
    assert ways(by_hand, cache, content) == set()


@pytest.mark.parametrize("exe", ["/usr/bin/cp", "/usr/bin/snap-seccomp-not", "/usr/bin/python3"])
def test_what_another_program_writes_is_of_no_snapd(exe: str) -> None:
    guest = unlooked()
    guest.write(BIN, BLUEZ, digest("x"), {"whole": digest("x")}, guest.stream.runs(exe, guest.stream.daemon))
    assert ways(guest, BIN, digest("x")) == set()


def test_a_compiler_that_people_run_is_of_no_snapd() -> None:
    guest = unlooked()
    tool = guest.stream.runs("/snap/core/2.57.6/usr/lib/snapd/snap-seccomp", 800, OLD.compiler)
    guest.write(BIN, BLUEZ, digest("x"), {"whole": digest("x")}, tool)
    assert ways(guest, BIN, digest("x")) == set()


def test_a_compiler_whose_parent_is_not_known_is_the_running_snapds_if_it_is_its_own() -> None:
    orphan = edited(unlooked(), program("/snap-seccomp", ppid=0))
    assert ways(orphan, BIN, OLD_WHOLE) == {(OLD.build, KnownBy.WITNESSED)}
    other = edited(unlooked(), program("/snap-seccomp", ppid=0, build_id=NEW.compiler))
    assert ways(other, BIN, OLD_WHOLE) == set()


def test_a_writer_that_nobody_saw_execute_is_nobody() -> None:
    def unknown(one: object) -> object:
        return replace(one, pid=77) if isinstance(one, FileChanged) else one

    assert ways(edited(unlooked(), unknown), BIN, OLD_WHOLE) == set()


def test_the_last_program_before_the_change_wrote_it() -> None:
    """A process number is used again later, by the compiler."""
    guest = unlooked()
    pid = guest.stream.runs("/usr/bin/cp", 800)
    guest.write(BIN, BLUEZ, digest("x"), {"whole": digest("x")}, pid)
    guest.tick()
    at, exe = guest.now, "/snap/core/2.57.6/usr/lib/snapd/snap-seccomp"
    guest.stream.say(Executed(at=at, pid=pid, exe=exe, ppid=guest.stream.daemon, build_id=OLD.compiler))
    assert ways(guest, BIN, digest("x")) == set()


def test_a_file_that_another_program_was_seen_to_write_is_not_snapds_although_it_ran() -> None:
    guest = one_service()
    put = digest("put there")
    guest.write(BIN, BLUEZ, put, {"whole": put})
    assert ways(guest.look(), BIN, put) == set()
    silent = begun(tags=(BLUEZ,), streams=False)
    silent.write(BIN, BLUEZ, put, {"whole": put})
    assert ways(silent.look(), BIN, put) == {(OLD.build, KnownBy.WRITTEN)}


def test_a_snapd_that_started_again_after_writing_still_has_its_constant_program() -> None:
    """As 2.57.6 does when it takes over from 2.49: no look shows it in the life that it wrote policy in."""
    guest, parts = unlooked(), {"whole": GLOBAL_PROGRAM}
    built_in = replace(guest.files[BIN, "global"], sha256=GLOBAL_PROGRAM, parts=parts)
    guest.files[BIN, "global"] = replace(built_in, changed=WallTime(guest.boot_wall))
    known = Knowledge.of(guest.start_snapd().look().timeline()).authors
    claims = known.of_digest(BIN, "global", GLOBAL_PROGRAM)
    assert {(claim.build, claim.known_by) for claim in claims} == {(OLD.build, KnownBy.CONSTANT)}


def test_what_was_the_other_builds_stays_its_when_a_stranger_puts_it_back() -> None:
    guest = one_service().install(NEW).install(OLD)
    profile = digest("profile", BLUEZ, NEW.name)
    guest.write(PolicyKind.APPARMOR_SOURCE, BLUEZ, profile)
    found = ways(guest.look(boot_end=False), PolicyKind.APPARMOR_SOURCE, profile)
    assert {build for build, _ in found} == {NEW.build}


def test_a_regeneration_does_not_vouch_for_a_compiled_file_that_a_stranger_put_there() -> None:
    guest = one_service()
    put = digest("put there")
    guest.write(BIN, BLUEZ, put, {"whole": put})
    assert guest.key
    guest.key = replace(guest.key, changed=guest.tick())
    assert ways(guest.look(), BIN, put) == set()


def reverted() -> Guest:
    """Two builds and the first again, whose key vouches for all policy."""
    return one_service().install(NEW).look(boot_end=False).revert(OLD).look(boot_end=False)


@pytest.mark.parametrize("kind", [PolicyKind.APPARMOR_SOURCE, PolicyKind.MOUNT])
def test_what_is_put_there_while_a_snapd_vouches_is_not_its_own(kind: PolicyKind) -> None:
    guest = reverted()
    guest.write(kind, BLUEZ, digest("put there"))
    assert ways(guest.look(), kind, digest("put there")) == set()


def test_another_builds_policy_put_back_by_hand_in_one_boot_is_still_the_others() -> None:
    kind, content = PolicyKind.APPARMOR_SOURCE, digest("profile", BLUEZ, NEW.name)
    guest = reverted()
    guest.write(kind, BLUEZ, content)
    assert {build for build, _ in ways(guest.look(), kind, content)} == {NEW.build}


# -- contradictions


def test_content_that_was_there_before_and_is_there_again_was_written_by_somebody() -> None:
    content = digest("profile", BLUEZ, NEW.name)
    guest = reverted()
    key = (PolicyKind.APPARMOR_SOURCE, BLUEZ)
    guest.files[key] = replace(guest.files[key], sha256=content, changed=guest.tick(5))
    guest.tick(2)
    assert kinds(guest.look()) == [("unwitnessed", BLUEZ, 2)]


def kinds(run: Guest | Timeline) -> list[tuple[str, str, int]]:
    timeline = run if isinstance(run, Timeline) else run.timeline()
    return [(one.kind, one.name, one.boot) for one in contradictions(Knowledge.of(timeline))]


def test_the_main_job_contradicts_itself_nowhere() -> None:
    assert kinds(fresh_revert(streams=True)) == []


def test_a_source_that_names_another_builds_compiler_than_its_writers_disagrees() -> None:
    def lie(one: object) -> object:
        named = isinstance(one, FileChanged) and one.kind == SOURCE
        return replace(one, made_by=NEW.compiler) if named else one  # type: ignore[type-var]

    timeline = edited(one_service(), lie)
    assert kinds(timeline) == [("authors-disagree", BLUEZ, 1)]
    found = [f for f in judge(timeline).findings if f.kind == "authors-disagree"]
    assert [(f.invariant, f.outcome, f.subject) for f in found] == [("record", Outcome.UNPROVEN, BLUEZ)]
    assert "2.57.6" in found[0].summary
    assert "2.68.3" in found[0].summary


def test_a_compiler_of_another_build_under_this_snapd_disagrees() -> None:
    timeline = edited(one_service(), program("/snap-seccomp", build_id=NEW.compiler))
    assert kinds(timeline) == [("authors-disagree", BLUEZ, 1)]


def test_a_look_that_names_another_snapd_than_the_writer_disagrees() -> None:
    guest = one_service()
    boot, look = guest.looks[0]
    assert look.snapd
    guest.looks[0] = (boot, replace(look, snapd=replace(look.snapd, pid=499, build_id=NEW.build, tools={})))
    found = kinds(guest)
    assert ("authors-disagree", BLUEZ, 1) in found


def test_the_same_content_by_two_builds_is_no_contradiction() -> None:
    guest = one_service().install(NEW)
    daemon = guest.stream.daemon
    guest.write(PolicyKind.MOUNT, BLUEZ, digest("alike"), writer=500)
    guest.write(PolicyKind.MOUNT, BLUEZ, digest("between"), writer=daemon)
    guest.write(PolicyKind.MOUNT, BLUEZ, digest("alike"), writer=daemon)
    assert kinds(guest.look(boot_end=False)) == []


def unwitnessed(guest: Guest) -> Timeline:
    key = (PolicyKind.APPARMOR_SOURCE, BLUEZ)
    changed = WallTime(guest.tick() + 0)
    guest.files[key] = replace(guest.files[key], sha256=digest("by nobody"), changed=changed)
    guest.tick(2)
    return guest.look().timeline()


def test_policy_that_changed_with_nobody_writing_it_is_unwitnessed() -> None:
    assert kinds(unwitnessed(one_service())) == [("unwitnessed", BLUEZ, 2)]


def test_what_was_not_watched_need_not_be_witnessed() -> None:
    assert kinds(unwitnessed(begun(tags=(BLUEZ,), streams=False))) == []
    guest = one_service()

    def late(one: object) -> object:
        of_files = isinstance(one, Watching) and one.source == Source.FILES
        return replace(one, since=GuestTime(1000 * SECOND)) if of_files else one  # type: ignore[type-var]

    unwitnessed(guest)
    assert kinds(edited(guest, late)) == []
