# SPDX-License-Identifier: GPL-3.0-only
"""Releases whose launcher compiles a text: the judge learns from starts which program a text gives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge import judge
from harness.model.clock import SECOND, GuestTime
from harness.model.observation import FilterSeen, PolicyKind
from harness.model.occurrence import Executed, Occurrence, Started
from harness.model.scenario import RebootHow
from harness.model.timeline import Timeline
from harness.policy.kind import programs
from harness.policy.text_profiles import with_programs
from tests.unit import paper_guest
from tests.unit.builders import BLUEZ, NEW_TEXT, TEXT, Core, Guest, begun, digest
from tests.unit.start_findings import HELD, UNPROVEN, VIOLATED, edited, findings, starts, told

IN_X1, IN_X2 = replace(TEXT, place="x1/"), replace(NEW_TEXT, place="x2/")


def reverted(old: Core = TEXT, new: Core = NEW_TEXT) -> Guest:
    """To 2.25 with a boot of its own, and back; the machine restarts before 2.24's snapd has run."""
    guest = Guest(core=old, tags=(BLUEZ,)).power_on().install(old).start_services().look()
    guest.reboot().start_snapd().start_services().look()
    guest.install(new).look(boot_end=False)
    guest.reboot().start_snapd().start_services().look()
    return guest.revert(old, start=False).reboot(RebootHow.RESET)


def program_of(core_name: str, run: Timeline) -> set[str]:
    found = {f.sha256: f for boot in run.boots for seen in boot.looks for f in seen.look.files}
    return set(programs(found[digest("text", BLUEZ, core_name)]).values())


def test_a_text_has_the_program_that_services_got_of_it() -> None:
    run = with_programs(reverted().timeline())
    assert program_of("2.24", run) == {digest("program of", digest("text", BLUEZ, "2.24"))}
    assert program_of("2.25", run) == {digest("program of", digest("text", BLUEZ, "2.25"))}


def test_without_a_start_a_text_stands_for_itself() -> None:
    guest = Guest(core=TEXT, tags=(BLUEZ,)).power_on().install(TEXT).look()
    assert program_of("2.24", with_programs(guest.timeline())) == {digest("text", BLUEZ, "2.24")}


def test_a_run_without_texts_is_left_as_it_is() -> None:
    run = begun().timeline()
    assert with_programs(run) is run


def test_two_programs_of_one_text_are_no_knowledge() -> None:
    guest = Guest(core=TEXT, tags=(BLUEZ,)).power_on().install(TEXT).start_services().look()
    guest.start_service(BLUEZ)
    run = guest.timeline()
    told_of = (seen.occurrence for seen in run.boots[0].occurrences)
    first = next(one for one in told_of if isinstance(one, Started) and one.process)
    other = replace(first.process, filters=(FilterSeen(index=0, sha256=digest("another"), length=9),))
    run = edited(run, 1, lambda one: replace(one, process=other) if one is first else one)
    assert program_of("2.24", with_programs(run)) == {digest("text", BLUEZ, "2.24")}


PLUGGED = digest("text", "with a plug")


def written_under_a_launcher(writer: int = 0, *, started_before: bool = False) -> Timeline:
    """snapd makes bluez's first text, and another is written after bluez's launcher was executed."""
    guest = Guest(core=TEXT, tags=(BLUEZ,)).power_on().install(TEXT)
    if started_before:
        guest.start_services()
    guest.write(PolicyKind.SECCOMP_TEXT, BLUEZ, PLUGGED, writer=writer or guest.stream.daemon)
    return launched_earlier(guest.start_services().look(), SECOND * 6 // 10)


def launched_earlier(guest: Guest, by: int) -> Timeline:
    """With the last launcher of the only boot executed so much earlier."""
    confined = [s.occurrence for s in guest.timeline().boots[0].occurrences if is_launcher(s.occurrence)]
    last = confined[-1]
    early = replace(last, at=GuestTime(last.at - by))
    return edited(guest, 1, lambda one: early if one == last else one)


def is_launcher(one: Occurrence) -> bool:
    return isinstance(one, Executed) and one.exe.endswith("/snap-confine")


def judged(run: Timeline) -> list[tuple[object, str]]:
    return told([f for f in judge(run).findings if "started at" in f.summary])


def test_of_two_texts_by_one_snapd_either_is_that_snapd_s() -> None:
    run = written_under_a_launcher()
    assert judged(run) == [(HELD, "fresh")]
    (file,) = (f for f in with_programs(run).boots[0].looks[0].look.files if f.sha256 == PLUGGED)
    assert set(programs(file).values()) == {digest("program of", PLUGGED)}


def test_of_two_texts_by_two_hands_nobody_knows_whose_was_read() -> None:
    assert judged(written_under_a_launcher(writer=4321)) == [(UNPROVEN, "unseen")]


def test_of_two_texts_by_two_snapds_nobody_knows_whose_was_read() -> None:
    """2.25 has taken over meanwhile, and the launcher may have read what 2.24 wrote."""
    guest = Guest(core=TEXT, tags=(BLUEZ,)).power_on().install(TEXT).install(NEW_TEXT)
    run = launched_earlier(guest.start_services().look(), 2 * SECOND)
    assert judged(run) == [(UNPROVEN, "unseen")]


@pytest.mark.parametrize(("was_read", "comes_to"), [(True, (HELD, "fresh")), (False, (UNPROVEN, "unseen"))])
def test_a_launcher_that_waited_for_a_text_read_the_first(
    was_read: bool, comes_to: tuple[object, str]
) -> None:
    """But when nobody had read the disk, another may have lain there as the launcher was executed."""
    guest = Guest(core=TEXT, tags=(BLUEZ,)).power_on()
    if was_read:
        guest.look(boot_end=False)
    run = launched_earlier(guest.install(TEXT).start_services().look(), 3 * SECOND)
    assert judged(run) == [comes_to]


def test_a_program_that_is_known_to_be_the_first_text_s_is_not_the_later_s() -> None:
    run = written_under_a_launcher(started_before=True)
    first, last = (s.occurrence for s in run.boots[0].occurrences if isinstance(s.occurrence, Started))
    same = replace(last.process, filters=first.process.filters)
    run = edited(run, 1, lambda one: replace(one, process=same) if one is last else one)
    assert judged(run) == [(HELD, "fresh")]
    (file,) = (f for f in with_programs(run).boots[0].looks[0].look.files if f.sha256 == PLUGGED)
    assert programs(file) == {"text": PLUGGED}


def test_what_another_launcher_makes_of_a_text_is_its_program_too() -> None:
    """One that leaves out rules it does not know gives the service another program of the same text."""
    guest = reverted().start_services().start_snapd().look()
    run = guest.timeline()
    *_, last = (s.occurrence for s in run.boots[3].occurrences if isinstance(s.occurrence, Started))
    cut = replace(last.process, filters=(FilterSeen(index=0, sha256=digest("cut"), length=9),))
    run = edited(run, 4, lambda one: replace(one, process=cut) if one is last else one)
    run = launched_by(digest("snap-confine", "2.24"), run)
    text = digest("text", BLUEZ, "2.25")
    assert program_of("2.25", with_programs(run)) == {digest("program of", text), digest("cut")}
    told_of = [f for f in judge(run).findings if f.boot == 4 and "started at" in f.summary]
    assert told(told_of) == [(VIOLATED, "stale")]


def launched_by(build: str, run: Timeline) -> Timeline:
    """With that build id for the launchers of boot 4."""

    def named(one: Occurrence) -> Occurrence:
        return replace(one, build_id=build) if is_launcher(one) else one

    return edited(run, 4, named)


def test_of_texts_in_two_places_each_has_its_own_program() -> None:
    guest = reverted(IN_X1, IN_X2).start_services().start_snapd().look()
    run = with_programs(guest.timeline())
    for name in ("2.24", "2.25"):
        assert program_of(name, run) == {digest("program of", digest("text", BLUEZ, name))}
    first = starts(guest, 4)[0]
    assert "AppArmor" in first.summary
    assert "seccomp" not in first.summary


def test_a_text_in_another_s_place_is_not_what_a_launcher_died_of() -> None:
    guest = reverted(IN_X1, IN_X2)
    guest.stream.deletes(1, guest.files.pop((PolicyKind.SECCOMP_TEXT, f"x1/{BLUEZ}")))
    guest.fail_launch(BLUEZ).start_snapd().start_service(BLUEZ, restarts=1).look()
    assert told(starts(guest, 4))[0] == (VIOLATED, "missing")


def test_a_launcher_looks_where_a_pointer_tells_it_to() -> None:
    guest = reverted(IN_X1, IN_X2)
    guest.write(PolicyKind.SECCOMP_POINTER, "current", digest("x2"))
    guest.fail_launch(BLUEZ).start_snapd().start_service(BLUEZ, restarts=1).look()
    found = starts(guest, 4)
    assert told(found)[0] == (VIOLATED, "broken")
    assert "of 2.25" in found[0].summary


def test_a_client_that_gives_up_before_the_launcher_died_of_no_policy() -> None:
    guest = reverted()
    guest.fail_launch(BLUEZ)
    run = edited(guest.start_snapd().look().timeline(), 4, _no_launcher)
    dead = [f for f in judge(run).findings if f.boot == 4 and "its launcher ended" in f.summary]
    assert told(dead) == [(UNPROVEN, "dead")]


def _no_launcher(one: Occurrence) -> Occurrence:
    """Every program is the client."""
    if is_launcher(one):
        return replace(one, exe="/usr/bin/snap", argv=("/usr/bin/snap", "run", "bluez"))
    return one


def test_a_launcher_that_dies_of_the_newer_text_is_broken() -> None:
    guest = reverted().fail_launch(BLUEZ)
    guest.start_snapd().start_service(BLUEZ, restarts=1).look()
    found = starts(guest, 4)
    assert told(found)[0] == (VIOLATED, "broken")
    assert "of 2.25" in found[0].summary
    assert found[0].author == "2.25"
    assert told(found)[1] == (HELD, "fresh")


def all_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text becomes the same program."""

    def alike(*words: str) -> str:
        return digest("one program") if words[0] == "program of" else digest(*words)

    monkeypatch.setattr(paper_guest, "digest", alike)


def test_it_is_although_both_texts_become_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """2.26.4's rules on netlink come after one that allows all sockets, and 2.24 cannot read them."""
    all_alike(monkeypatch)
    guest = reverted().fail_launch(BLUEZ)
    guest.start_snapd().start_service(BLUEZ, restarts=1).look()
    found = starts(guest, 4)
    assert told(found)[0] == (VIOLATED, "broken")
    assert found[0].author == "2.25"
    assert told(found)[1] == (HELD, "fresh")


def test_a_service_under_the_newer_text_is_stale() -> None:
    """What 2.24 could read of 2.26.4's: the service ran, under policy of another release."""
    guest = reverted().start_services().start_snapd().look()
    found = starts(guest, 4)
    assert told(found)[0] == (VIOLATED, "stale")
    assert "2.25" in found[0].summary


def test_the_text_that_came_after_a_launcher_had_died_is_not_blamed() -> None:
    """2.24 writes its own once it has come, and the unit has failed for good."""
    guest = reverted().fail_launch(BLUEZ).start_snapd().look()
    ends = [f for f in judge(guest.timeline()).findings if f.boot == 4 and "has no process" in f.summary]
    assert told(ends) == [(UNPROVEN, "dead")]


def test_no_text_at_all_is_missing() -> None:
    guest = reverted()
    text = guest.files.pop((PolicyKind.SECCOMP_TEXT, BLUEZ))
    guest.stream.deletes(1, text)
    guest.fail_launch(BLUEZ).start_snapd().start_service(BLUEZ, restarts=1).look()
    assert told(starts(guest, 4))[0] == (VIOLATED, "missing")


def test_a_whole_revert_that_waits_is_held() -> None:
    guest = reverted().start_snapd().start_services().look()
    assert {finding.outcome for finding in findings(guest)} == {HELD}


def test_a_filter_that_outlives_its_snapd_is_told_with_the_text_it_was_made_of() -> None:
    guest = Guest(core=IN_X1, tags=(BLUEZ,)).power_on().install(IN_X1).start_services().look(boot_end=False)
    guest.install(IN_X2).look()
    (at_the_end,) = (f for f in judge(guest.timeline()).findings if "main process" in f.summary)
    assert f"now in {BLUEZ}" in at_the_end.summary


def test_one_program_of_texts_in_two_places_is_that_of_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each core's launcher reads its own snapd's text, though both lie there."""
    all_alike(monkeypatch)
    run = reverted(IN_X1, IN_X2).start_snapd().start_services().look()
    assert told(starts(run, 3)) == [(HELD, "fresh")]
    assert told(starts(run, 4)) == [(HELD, "fresh")]
