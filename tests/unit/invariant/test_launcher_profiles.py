# SPDX-License-Identifier: GPL-3.0-only
"""A launcher that died under a profile of its own that another core had brought."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.model.observation import LoadedProfile, WordsSeen
from harness.model.occurrence import Executed, ProfileChange, ProfileChanged
from harness.policy.launcher_profiles import NAME
from tests.unit.builders import BLUEZ, NEW, OLD, Core, Guest, digest
from tests.unit.start_findings import UNPROVEN, VIOLATED, edited, starts, told, without

LAST = 4


def loads(guest: Guest, core: Core, name: str = NAME) -> Guest:
    """apparmor_parser gives the kernel the launcher's profile of a core."""
    parser = guest.stream.runs("/usr/sbin/apparmor_parser", 1)
    content = digest("launcher's profile", core.name)
    guest.stream.loads(parser, LoadedProfile(name=name, mode="enforce", raw_sha256=content))
    guest.tick()
    return guest


def reverted(*, kept: Core = NEW, name: str = NAME) -> Guest:
    """The old core, the new one and the old one again; from then on the profile that was `kept` is loaded."""
    guest = loads(Guest(streams=True, tags=(BLUEZ,)).power_on(), OLD, name)
    guest.install(OLD).start_services().look()
    loads(guest.reboot(), OLD, name).start_snapd().start_services().look()
    loads(guest, NEW, name).install(NEW).look(boot_end=False)
    loads(guest.reboot(), NEW, name).start_snapd().start_services().look()
    loads(guest, kept, name).revert(OLD).look(boot_end=False)
    loads(guest.reboot(), kept, name).start_snapd()
    return guest.fail_launch(BLUEZ, sub="auto-restart").look()


def test_it_is_broken_and_the_other_core_s() -> None:
    (found,) = starts(reverted(), LAST)
    assert told([found]) == [(VIOLATED, "broken")]
    assert found.author == "2.68.3"
    own = digest("launcher's profile", "2.68.3")[:8]
    assert f"the AppArmor profile of the launcher {own} is of 2.68.3" in found.summary
    says = [one.says for one in found.evidence]
    assert f"{NAME}: {own} was first loaded for snapd 2.68.3" in says


@pytest.mark.parametrize(
    ("said", "comes_to"),
    [
        ("cannot open current mount profile: /run/snapd/ns/x: Permission denied", (VIOLATED, "broken")),
        ("cannot set capabilities: Operation not permitted", (VIOLATED, "broken")),
        ("Can not open //x (No such file or directory)", (UNPROVEN, "dead")),
    ],
)
def test_it_is_not_blamed_against_the_launcher_s_own_word(said: str, comes_to: tuple[object, str]) -> None:
    """It may have been given up on waiting, with nothing refused."""
    guest = reverted()
    executed = (one.occurrence for one in guest.timeline().boots[LAST - 1].occurrences)
    launcher = next(
        one for one in executed if isinstance(one, Executed) and one.exe.endswith("/snap-confine")
    )
    guest.look(words=(WordsSeen(tag=BLUEZ, pid=launcher.pid, at=guest.now, text=said),))
    assert told(starts(guest, LAST)) == [comes_to]


def test_under_its_own_core_s_it_is_dead() -> None:
    assert told(starts(reverted(kept=OLD), LAST)) == [(UNPROVEN, "dead")]


def test_a_profile_of_another_name_is_not_the_launcher_s() -> None:
    guest = reverted(name="/usr/lib/snapd/snap-confine")
    assert told(starts(guest, LAST)) == [(UNPROVEN, "dead")]


def test_what_was_not_seen_to_be_loaded_is_not_blamed() -> None:
    timeline = without(reverted(), LAST, ProfileChanged, when=lambda one: one.name == NAME)
    assert told(starts(timeline, LAST)) == [(UNPROVEN, "dead")]


def test_what_was_loaded_and_not_read_is_not_blamed() -> None:
    def unread(one: object) -> object:
        is_own = isinstance(one, ProfileChanged) and one.name == NAME
        return replace(one, profile=None) if is_own else one  # type: ignore[type-var]

    assert told(starts(edited(reverted(), LAST, unread), LAST)) == [(UNPROVEN, "dead")]


def test_what_is_removed_was_not_loaded() -> None:
    def removed(one: object) -> object:
        is_own = isinstance(one, ProfileChanged) and one.name == NAME
        return replace(one, change=ProfileChange.REMOVE) if is_own else one  # type: ignore[type-var]

    assert told(starts(edited(reverted(), LAST, removed), LAST)) == [(UNPROVEN, "dead")]


def test_what_comes_after_a_launch_is_not_blamed_for_it() -> None:
    guest = reverted(kept=OLD)
    loads(guest, NEW)
    assert told(starts(guest, LAST)) == [(UNPROVEN, "dead")]


def test_a_build_whose_own_was_never_seen_is_not_compared() -> None:
    timeline = reverted().timeline()
    for boot in (1, 2):
        name = digest("launcher's profile", OLD.name)

        def is_old(one: ProfileChanged, name: str = name) -> bool:
            return one.profile is not None and one.profile.raw_sha256 == name

        timeline = without(timeline, boot, ProfileChanged, when=is_old)
    assert told(starts(timeline, LAST)) == [(UNPROVEN, "dead")]


@pytest.mark.parametrize("exe", ["/usr/lib/snapd/snap-confine", "/snap/snapd/x1/usr/lib/snapd/snap-confine"])
def test_the_image_s_launcher_does_not_run_under_it(exe: str) -> None:
    def of_image(one: object) -> object:
        is_launcher = isinstance(one, Executed) and one.exe.endswith("/snap-confine")
        return replace(one, exe=exe) if is_launcher else one  # type: ignore[type-var]

    assert told(starts(edited(reverted(), LAST, of_image), LAST)) == [(UNPROVEN, "dead")]
