# SPDX-License-Identifier: GPL-3.0-only
"""Launchers that died, that wait, and what looks like one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.model.clock import GuestTime
from harness.model.observation import PolicyKind, WordsSeen
from harness.model.occurrence import Executed, FilterInstalled, Started, UnitChanged
from harness.model.scenario import RebootHow
from tests.unit.builders import (
    BLUEZ,
    NEW,
    NEWER,
    Guest,
    digest,
)
from tests.unit.start_findings import (
    HELD,
    UNPROVEN,
    VIOLATED,
    edited,
    one_service,
    starts,
    told,
    without,
)

# -- launchers that died


def damaged(guest: Guest) -> Guest:
    cut = digest("cut short")
    guest.write(PolicyKind.SECCOMP_BIN, BLUEZ, cut, {"whole": cut})
    return guest


def healed(guest: Guest) -> Guest:
    """snapd regenerates and the service is started again: a look sees nothing of what was."""
    guest.key = None
    key = (PolicyKind.SECCOMP_SOURCE, BLUEZ)
    guest.files[key] = replace(guest.files[key], sha256=digest("to be written anew"))
    return guest.start_snapd().start_service(BLUEZ, restarts=1).look()


def test_a_launcher_that_died_of_damaged_policy_is_broken_although_it_was_repaired() -> None:
    guest = healed(damaged(one_service().reboot()).fail_launch(BLUEZ, sub="auto-restart"))
    assert told(starts(guest, 3)) == [(VIOLATED, "broken"), (HELD, "fresh")]
    assert "no policy of any known build" in starts(guest, 3)[0].summary


def test_a_launcher_that_died_of_another_builds_policy_is_broken() -> None:
    guest = Guest(streams=True, tags=(BLUEZ,), core=NEW).power_on().install(NEW).start_services().look()
    guest.install(NEWER).look(boot_end=False).revert(NEW, start=False)
    guest.reboot(RebootHow.RESET).fail_launch(BLUEZ, sub="auto-restart")
    guest.start_snapd().start_service(BLUEZ, restarts=1).look()
    (found, after) = starts(guest, 2)
    assert told([found, after]) == [(VIOLATED, "broken"), (HELD, "fresh")]
    assert "is of 2.77.1" in found.summary


def test_what_a_dead_launcher_said_is_evidence() -> None:
    guest = damaged(one_service().reboot()).fail_launch(BLUEZ, sub="auto-restart")
    said = "hsearch_r failed for |S_IFREG: No such process"
    own = WordsSeen(tag=BLUEZ, pid=1000, at=guest.now, text=said)
    other = replace(own, text="not of this launch")
    others = replace(other, pid=999), replace(other, at=GuestTime(0)), replace(other, tag="snap.other.app")
    guest = healed(guest).look(words=(own, *others))
    found = starts(guest, 3)
    assert told(found) == [(VIOLATED, "broken"), (HELD, "fresh")]
    words = [one.says for one in found[0].evidence if "said" in one.says]
    assert words == [f"{BLUEZ}: process 1000 said: {said}"]
    assert not any("said" in one.says for one in found[1].evidence)


def test_a_launcher_that_gave_up_without_policy_is_missing() -> None:
    guest = one_service()
    gone = guest.files.pop((PolicyKind.SECCOMP_BIN, BLUEZ))
    guest.stream.deletes(guest.stream.runs("/usr/bin/rm", 800), gone)
    guest.reboot().fail_launch(BLUEZ, sub="auto-restart")
    assert told(starts(healed(guest), 3)) == [(VIOLATED, "missing"), (HELD, "fresh")]


def test_a_launcher_that_waited_for_missing_policy_and_became_fresh_is_held() -> None:
    guest = one_service()
    gone = guest.files.pop((PolicyKind.SECCOMP_BIN, BLUEZ))
    guest.stream.deletes(guest.stream.runs("/usr/bin/rm", 800), gone)
    guest.key = None
    guest.files.pop((PolicyKind.SECCOMP_SOURCE, BLUEZ))
    guest.reboot().start_snapd().start_service(BLUEZ, waited=10.0).look()
    (found,) = starts(guest, 3)
    assert told([found]) == [(HELD, "fresh")]
    assert "10.00 s after its launcher began" in found.summary


@pytest.mark.parametrize("status", [1, 3])
def test_a_launcher_that_died_otherwise_is_dead(status: int) -> None:
    guest = one_service().reboot().start_snapd().fail_launch(BLUEZ, sub="auto-restart", status=status)
    guest.start_service(BLUEZ, restarts=1).look()
    assert told(starts(guest, 3)) == [(UNPROVEN, "dead"), (HELD, "fresh")]


def test_a_launcher_that_ended_otherwise_is_dead_whatever_lies_on_disk() -> None:
    guest = damaged(one_service().reboot()).fail_launch(BLUEZ, sub="auto-restart", status=3)
    assert told(starts(healed(guest), 3)) == [(UNPROVEN, "dead"), (HELD, "fresh")]


def test_a_process_number_that_is_used_again_is_another_launcher() -> None:
    guest = damaged(one_service().reboot()).fail_launch(BLUEZ, sub="auto-restart")
    guest.launched = 0
    assert told(starts(healed(guest), 3)) == [(VIOLATED, "broken"), (HELD, "fresh")]


def test_a_launcher_whose_end_was_not_seen_is_dead_when_another_followed() -> None:
    guest = healed(damaged(one_service().reboot()).fail_launch(BLUEZ, sub="auto-restart"))
    failed = without(guest, 3, UnitChanged, when=lambda one: one.unit.sub_state == "auto-restart")
    assert told(starts(failed, 3)) == [(UNPROVEN, "dead"), (HELD, "fresh")]


def test_a_failure_of_which_nothing_else_was_seen_is_unseen() -> None:
    guest = healed(damaged(one_service().reboot()).fail_launch(BLUEZ, sub="auto-restart"))
    pid = 1000
    unseen = without(guest, 3, Executed, when=lambda one: one.pid == pid)
    assert (UNPROVEN, "unseen") in told(starts(unseen, 3))


# -- no start


def test_a_launcher_that_waits_is_no_start_yet() -> None:
    guest = one_service().reboot().start_snapd()
    guest.stream.launches(BLUEZ, guest.next_pid(), "2.57.6", until=2)
    guest.tick()
    found = starts(guest.look(), 3)
    assert told(found) == [(UNPROVEN, "waiting")]


def test_what_waited_when_its_boot_was_cut_short_is_nothing() -> None:
    guest = one_service().reboot().start_snapd()
    guest.stream.launches(BLUEZ, guest.next_pid(), "2.57.6", until=2)
    guest.reboot().start_snapd().start_services().look()
    assert starts(guest, 3) == []


def test_hooks_and_commands_of_people_are_no_starts() -> None:
    guest = one_service().reboot().start_snapd().start_services()
    at = guest.now
    person = Executed(
        at=at, pid=9000, exe="/usr/bin/snap", argv=("snap", "run", "bluez"), unit="user@0.service"
    )
    other = Executed(at=at, pid=9001, exe="/usr/bin/snap", argv=("snap", "install", "x"))
    nmcli = Executed(at=at, pid=9002, exe="/usr/bin/snap", argv=("snap", "run", "network-manager.nmcli"))
    hooked = ("snap", "run", "--hook=configure", "bluez")
    by_snapd = Executed(at=at, pid=9003, exe="/usr/bin/snap", argv=hooked, unit="snapd.service")
    untold = Executed(at=at, pid=9004, exe="/usr/bin/snap", argv=hooked)
    guest.stream.say(person, other, nmcli, by_snapd, untold)
    assert told(starts(guest.look(), 3)) == [(HELD, "fresh")]


def test_a_twin_is_no_start_of_the_service() -> None:
    """The witness starts a shell under the service's tag, from outside of any unit."""
    guest = one_service()
    process = guest.processes[BLUEZ][0]
    guest.reboot().start_snapd().start_services()
    twin, exe = guest.next_pid(), "/usr/lib/snapd/snap-confine"
    run = ("snap", "run", "--shell", "bluez.bluez", "-c", "read -r line")
    guest.stream.say(
        Executed(at=guest.now, pid=twin, exe="/usr/bin/snap", argv=run),
        Executed(at=guest.now, pid=twin, exe=exe, argv=("snap-confine", BLUEZ, "snap-exec", "bluez.bluez")),
        Executed(at=guest.now, pid=twin, exe="/usr/bin/bash"),
        Started(at=guest.now, read_at=guest.now, tag=BLUEZ, pid=twin, exe="/bin/bash", process=process),
    )
    assert told(starts(guest.look(), 3)) == [(HELD, "fresh")]
    assert "at 13.50 s under policy" in starts(guest, 3)[0].summary


def test_a_command_that_stops_the_service_is_no_start() -> None:
    guest = one_service().reboot().start_snapd().start_services()
    at, unit = guest.now, f"{BLUEZ}.service"
    for number, (exe, argv) in enumerate(
        (
            ("/usr/bin/snap", ("snap", "run", "--command=stop", "bluez")),
            ("/usr/lib/snapd/snap-exec", ("snap-exec", "--command=stop", "bluez")),
            ("/snap/bluez/x1/bin/stop", ("stop",)),
        )
    ):
        guest.stream.say(Executed(at=GuestTime(at + number), pid=9000, exe=exe, argv=argv, unit=unit))
    assert told(starts(guest.look(), 3)) == [(HELD, "fresh")]


def test_a_launch_without_a_unit_is_known_by_its_arguments() -> None:
    guest = one_service().reboot().start_snapd()
    guest.stream.launches(BLUEZ, guest.next_pid(), "2.57.6", until=3)
    guest.look()
    timeline = edited(guest, 3, lambda one: replace(one, unit="") if isinstance(one, Executed) else one)
    assert told(starts(timeline, 3)) == [(UNPROVEN, "waiting")]


def test_an_attempt_that_only_systemd_tells_of_leaves_the_service_open() -> None:
    """It was started twice in the boot; of the first time, only the unit's main process is known."""
    guest = one_service().reboot().start_snapd().start_service(BLUEZ).start_service(BLUEZ).look()
    first = 1000
    timeline = without(guest, 3, Executed, Started, FilterInstalled, when=lambda one: one.pid == first)
    assert told(starts(timeline, 3)) == [(UNPROVEN, "dead"), (HELD, "fresh")]


def test_a_program_that_executed_without_a_reading_tells_of_a_start() -> None:
    """Kernels before 6.9 do not tell of filters."""
    guest = one_service().reboot().start_snapd().start_service(BLUEZ).start_service(BLUEZ).look()
    timeline = without(guest, 3, Started, FilterInstalled, when=lambda one: getattr(one, "pid", 0) == 1000)
    assert told(starts(timeline, 3)) == [(UNPROVEN, "unseen"), (HELD, "fresh")]
