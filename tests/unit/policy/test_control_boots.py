# SPDX-License-Identifier: GPL-3.0-only
"""A fingerprint holds what two control boots showed alike, of the core that was meant and of no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.errors import CannotMeasure
from harness.model.clock import WallTime
from harness.model.fingerprint import Fingerprint
from harness.model.observation import Look
from harness.model.plan import RebootGuest
from harness.model.timeline import Timeline
from harness.policy.control_boots import fingerprint_of
from harness.policy.kind import GLOBAL_PROGRAM
from tests.unit.builders import BLUEZ, NETWORK, NEW, OLD, Guest, digest
from tests.unit.fingerprints import IMAGE, control_boots, fingerprint, make_anew


def taken(guest: Guest) -> Fingerprint:
    return fingerprint_of(guest.timeline(), guest.core.name)


def refusal(timeline: Timeline, core: str = OLD.name) -> str:
    with pytest.raises(CannotMeasure) as refused:
        fingerprint_of(timeline, core)
    return str(refused.value)


def with_look(guest: Guest, number: int, change: Callable[[Look], Look]) -> Guest:
    """The look at the end of boot 2 (number 0) or 3 (number 1) changed."""
    boot, look = guest.looks[number]
    guest.looks[number] = (boot, change(look))
    return guest


def test_what_both_boots_show_alike_is_kept() -> None:
    raw = digest("cache", digest("profile", BLUEZ, NEW.name))
    assert fingerprint(NEW, (BLUEZ,)) == Fingerprint(
        core=NEW.name,
        core_sha256=NEW.artifact.sha256,
        build=NEW.build,
        image=IMAGE.sha256,
        seccomp={BLUEZ: tuple(sorted(NEW.programs(BLUEZ).values()))},
        apparmor={BLUEZ: (raw, digest("k", raw))},
    )


def test_a_filter_that_changes_is_refused_by_name_and_the_rest_is_kept() -> None:
    def changed(look: Look) -> Look:
        first, *rest = look.services
        main = first.processes[0]
        other = replace(main.filters[0], sha256=digest("other"))
        main = replace(main, filters=(other, *main.filters[1:]))
        return replace(look, services=(replace(first, processes=(main,)), *rest))

    one = taken(with_look(control_boots(OLD), 1, changed))
    assert set(one.seccomp) == {NETWORK}
    assert set(one.apparmor) == {BLUEZ, NETWORK}
    (words,) = one.refused
    assert words.startswith(f"{BLUEZ}: seccomp is not stable: one boot had ")
    assert digest("other")[:8] in words.partition("the next")[2]


def test_a_profile_that_changes_is_refused_by_name_and_the_rest_is_kept() -> None:
    def changed(look: Look) -> Look:
        return replace(look, profiles=tuple(replace(p, raw_sha256=digest(p.name)) for p in look.profiles[:1]))

    one = taken(with_look(control_boots(OLD, tags=(BLUEZ,)), 1, changed))
    assert (set(one.seccomp), set(one.apparmor)) == ({BLUEZ}, set())
    assert [words.partition(": one boot")[0] for words in one.refused] == [f"{BLUEZ}: AppArmor is not stable"]


def test_what_only_one_boot_shows_is_refused() -> None:
    one = taken(
        with_look(control_boots(OLD), 0, lambda look: replace(look, services=look.services[:1], profiles=()))
    )
    assert set(one.seccomp) == {BLUEZ}
    assert set(one.apparmor) == set()
    assert len(one.refused) == 3


def test_what_was_not_made_anew_between_the_boots_is_refused_by_name() -> None:
    """Two boots that load the same files show nothing, and the files may be another snapd's."""
    guest = Guest(core=OLD, tags=(BLUEZ,)).power_on().install(OLD).start_services()
    guest.events.append(IMAGE)
    make_anew(guest).reboot().start_snapd().start_services().look()
    one = taken(guest.reboot().start_snapd().start_services().look())
    assert (one.seccomp, one.apparmor) == ({}, {})
    assert one.refused == (
        f"{BLUEZ}: AppArmor is not of this core alone: {BLUEZ} was not made anew",
        f"{BLUEZ}: seccomp is not of this core alone: {BLUEZ}.src was not made anew",
    )


@pytest.mark.parametrize("kind", ["seccomp-source", "seccomp-bin", "apparmor-source", "apparmor-cache"])
def test_one_file_that_was_not_made_anew_is_enough(kind: str) -> None:
    guest = control_boots(OLD, tags=(BLUEZ,))
    _, first = guest.looks[0]
    since = WallTime(first.at + first.boot_wall)

    def kept(look: Look) -> Look:
        files = (replace(f, changed=since) if f.kind == kind else f for f in look.files)
        return replace(look, files=tuple(files))

    one = taken(with_look(guest, 1, kept))
    assert (BLUEZ in one.seccomp, BLUEZ in one.apparmor) == (
        "seccomp" not in kind,
        "apparmor" not in kind,
    )


def test_policy_of_which_nothing_is_on_disk_is_refused() -> None:
    one = taken(with_look(control_boots(OLD, tags=(BLUEZ,)), 1, lambda look: replace(look, files=())))
    assert (one.seccomp, one.apparmor) == ({}, {})
    assert all("nothing of it is on disk" in words for words in one.refused)


def test_the_filter_that_snapds_have_in_common_is_left_out() -> None:
    def constant(look: Look) -> Look:
        (service,) = look.services
        main = service.processes[0]
        filters = (main.filters[0], replace(main.filters[0], index=1, sha256=GLOBAL_PROGRAM))
        processes = (replace(main, filters=filters),)
        return replace(look, services=(replace(service, processes=processes),))

    guest = control_boots(NEW, tags=(BLUEZ,))
    one = taken(with_look(with_look(guest, 0, constant), 1, constant))
    assert len(one.seccomp[BLUEZ]) == 1
    assert GLOBAL_PROGRAM not in one.seccomp[BLUEZ]


@pytest.mark.parametrize(
    ("changes", "seccomp", "apparmor"),
    [
        ({"exe": "/usr/bin/snap", "label": "unconfined", "filters": (), "seccomp_mode": 0}, False, False),
        ({"main": False}, False, False),
        ({"problem": "it had gone"}, False, False),
        ({"filters": ()}, False, True),
        ({"label": "unconfined"}, True, False),
    ],
)
def test_what_could_not_be_read_is_refused(changes: dict[str, object], seccomp: bool, apparmor: bool) -> None:
    def changed(look: Look) -> Look:
        (service,) = look.services
        main = replace(service.processes[0], **changes)  # type: ignore[arg-type]
        return replace(look, services=(replace(service, processes=(main,)),))

    guest = control_boots(OLD, tags=(BLUEZ,))
    one = taken(with_look(with_look(guest, 0, changed), 1, changed))
    assert (BLUEZ in one.seccomp, BLUEZ in one.apparmor) == (seccomp, apparmor)
    assert len(one.refused) == 2 - seccomp - apparmor
    assert all("could not be read" in words for words in one.refused)


def test_a_core_that_did_not_run_has_no_fingerprint() -> None:
    """The image's snapd does not go over into a core that is older than itself."""
    told = refusal(control_boots(NEW).timeline())
    assert "cannot take the fingerprint of core 2.57.6: in boot 2 /snap/core/2.68.3/" in told
    assert "older than the image's own deb" in told


def test_a_core_that_ran_in_one_of_the_boots_has_no_fingerprint() -> None:
    def without(look: Look) -> Look:
        return replace(look, snapd=None)

    told = refusal(with_look(control_boots(OLD), 1, without).timeline())
    assert "in boot 3 no snapd ran" in told


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("field", ["unsettled", "problems"])
def test_a_boot_that_is_in_doubt_gives_no_fingerprint(number: int, field: str) -> None:
    def doubtful(look: Look) -> Look:
        return replace(look, **{field: ("a job is under way",)})  # type: ignore[arg-type]

    told = refusal(with_look(control_boots(OLD), number, doubtful).timeline())
    assert f"boot {number + 2} had not settled" in told
    assert "a job is under way" in told


def test_a_run_that_failed_gives_no_fingerprint() -> None:
    assert "the guest panicked" in refusal(control_boots(OLD).fail("the guest panicked").timeline())


def test_a_record_with_a_gap_gives_no_fingerprint() -> None:
    timeline = replace(control_boots(OLD).timeline(), gaps=("console.log is missing",))
    assert "console.log is missing" in refusal(timeline)


def test_other_boots_than_were_planned_give_no_fingerprint() -> None:
    guest = control_boots(OLD)
    timeline = guest.timeline()
    assert "3 boots were planned and there were 2" in refusal(replace(timeline, boots=timeline.boots[:2]))
    plan = timeline.plan
    fewer = next(place for place, step in enumerate(plan.steps) if isinstance(step.action, RebootGuest))
    timeline = replace(timeline, plan=replace(plan, steps=plan.steps[:fewer]))
    assert "1 boots were planned and there were 3" in refusal(timeline)


def test_a_boot_without_its_look_gives_no_fingerprint() -> None:
    timeline = control_boots(OLD).timeline()
    *boots, last = timeline.boots
    timeline = replace(timeline, boots=(*boots, replace(last, looks=())))
    assert "the end of boot 3 was not looked at" in refusal(timeline)


def test_without_the_digests_of_what_was_used_there_is_no_fingerprint() -> None:
    timeline = control_boots(OLD).timeline()
    assert "which image was used" in refusal(replace(timeline, artifacts=(OLD.artifact,)))
    assert "which snap was used" in refusal(replace(timeline, artifacts=(IMAGE,)))
    unnamed = replace(OLD.artifact, build_ids={})
    assert "no build id" in refusal(replace(timeline, artifacts=(IMAGE, unnamed)))
