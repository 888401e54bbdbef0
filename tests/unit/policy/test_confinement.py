# SPDX-License-Identifier: GPL-3.0-only
"""What one process's filters and profile come to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.model.observation import FilterSeen, PolicyKind
from harness.policy import confinement
from harness.policy.confinement import Class
from harness.policy.kind import programs
from harness.policy.knowledge import Knowledge
from tests.unit.builders import (
    BLUEZ,
    NEW,
    OLD,
    Guest,
    begun,
    digest,
    fresh_revert,
    key_put_back,
    stale_seccomp,
)


def classes(guest: Guest, tag: str = BLUEZ) -> list[Class]:
    """The classes of the processes of a service in the last look."""
    timeline = guest.timeline()
    seen = timeline.boots[-1].looks[-1]
    service = next(service for service in seen.look.services if service.tag == tag)
    assert seen.look.snapd
    read = confinement.read(seen, service, seen.look.snapd, Knowledge.of(timeline))
    return [one.kind for one in read]


def test_fresh_stale_seccomp_and_stale_apparmor() -> None:
    assert classes(fresh_revert()) == [Class.FRESH, Class.FRESH]
    assert classes(stale_seccomp()) == [Class.STALE, Class.STALE]
    assert classes(key_put_back()) == [Class.STALE, Class.STALE]


@pytest.mark.parametrize(
    "exe",
    ["/usr/bin/snap", "/snap/core/x1/usr/bin/snap", "/usr/lib/snapd/snap-confine", "/usr/bin/snap (deleted)"],
)
def test_a_launcher_waits_and_is_never_called_unconfined(exe: str) -> None:
    guest = fresh_revert().wait_in_launcher(BLUEZ).change_process(BLUEZ, exe=exe)
    assert classes(guest.look()) == [Class.WAITING]


def test_snap_confines_own_label_is_still_waiting() -> None:
    guest = fresh_revert().wait_in_launcher(BLUEZ)
    guest.change_process(BLUEZ, exe="/usr/lib/snapd/snap-confine", label="/usr/lib/snapd/snap-confine")
    assert classes(guest.look()) == [Class.WAITING]


def test_a_services_own_binary_called_snap_does_not_wait() -> None:
    guest = fresh_revert().wait_in_launcher(BLUEZ).change_process(BLUEZ, exe="/snap/bluez/x1/bin/snap")
    assert classes(guest.look()) == [Class.UNCONFINED]


def test_snap_exec_under_policy_is_judged() -> None:
    guest = key_put_back().change_process(BLUEZ, exe="/snap/core/x1/usr/lib/snapd/snap-exec")
    assert classes(guest.look())[0] == Class.STALE


@pytest.mark.parametrize(
    "change",
    [{"filters": (), "seccomp_mode": 0}, {"label": "unconfined", "label_mode": ""}],
    ids=["no filter", "no profile"],
)
def test_a_service_without_its_policy_is_unconfined(change: dict[str, object]) -> None:
    guest = fresh_revert().change_process(BLUEZ, **change)
    assert classes(guest.look())[0] == Class.UNCONFINED


def test_half_of_the_filters_is_unconfined() -> None:
    guest = fresh_revert().reboot()
    guest.core = NEW
    guest.start_snapd().start_services().look(boot_end=False)
    allow = guest.processes[BLUEZ][0].filters[:1]
    assert classes(guest.change_process(BLUEZ, filters=allow).look())[0] == Class.UNCONFINED


def test_no_policy_at_all_is_missing() -> None:
    guest = fresh_revert()
    guest.change_process(BLUEZ, filters=(), seccomp_mode=0, label="unconfined")
    guest.files = {key: file for key, file in guest.files.items() if key[1] != BLUEZ}
    guest.kernel.pop(BLUEZ)
    assert classes(guest.look())[0] == Class.MISSING


@pytest.mark.parametrize(
    "change",
    [
        {"filters": (), "seccomp_mode": 2},
        {"filters": (), "seccomp_mode": 0, "problem": "cannot read seccomp filters: Operation not permitted"},
        {"problem": "cannot read the AppArmor label"},
        {"label": "", "problem": "cannot read the AppArmor label"},
        {"label": "docker-default"},
        {"filters": (FilterSeen(index=0, sha256=digest("sandbox of its own"), length=9),)},
    ],
    ids=["mode only", "problem", "only a problem", "no label", "other label", "unknown filter"],
)
def test_what_was_not_read_is_unseen(change: dict[str, object]) -> None:
    assert classes(fresh_revert().change_process(BLUEZ, **change).look())[0] == Class.UNSEEN


def test_a_filter_more_than_snapds_is_unseen() -> None:
    guest = fresh_revert()
    filters = guest.processes[BLUEZ][0].filters
    more = (*filters, FilterSeen(index=2, sha256=digest("more"), length=3))
    assert classes(guest.change_process(BLUEZ, filters=more).look())[0] == Class.UNSEEN


def test_a_profile_of_unknown_content_is_unseen() -> None:
    guest = fresh_revert()
    guest.kernel[BLUEZ] = digest("loaded by hand")
    assert classes(guest.look())[0] == Class.UNSEEN


def test_differing_from_a_policy_never_seen_is_unseen() -> None:
    """The older snapd's own policy was never seen, so that `other than its own` is not shown."""
    guest = Guest(core=NEW).power_on().install(NEW).start_services().look()
    guest.revert(OLD, start=False).put_key(OLD)
    guest.files[PolicyKind.SECCOMP_BIN, "global"] = guest.files[PolicyKind.SECCOMP_BIN2, BLUEZ]
    guest.core = NEW
    guest.reboot().start_services()
    guest.core = OLD
    assert classes(guest.start_snapd().look())[0] == Class.UNSEEN


def test_outliving_a_change_of_core_is_mixed_only_when_a_look_from_before_shows_it() -> None:
    with_look = begun().install(NEW).look()
    assert classes(with_look)[0] == Class.MIXED
    timeline = with_look.timeline()
    known = Knowledge.of(timeline)
    seen = timeline.boots[-1].looks[-1]
    assert seen.look.snapd
    assert all(one.earlier for one in confinement.read(seen, seen.look.services[0], seen.look.snapd, known))
    without = begun().reboot().start_snapd().start_services().install(NEW).look()
    assert classes(without)[0] == Class.MIXED
    without_timeline = without.timeline()
    last = without_timeline.boots[-1].looks[-1]
    assert last.look.snapd
    read = confinement.read(last, last.look.services[0], last.look.snapd, Knowledge.of(without_timeline))
    assert not any(one.earlier for one in read)


def test_a_start_under_stale_seccomp_is_stale_although_apparmor_was_replaced() -> None:
    assert classes(stale_seccomp().look()) == [Class.STALE, Class.STALE]


def test_outliving_a_change_does_not_excuse_a_wrong_start() -> None:
    """Started under the newer snapd's policy while the older ran, then refreshed to a third."""
    guest = stale_seccomp().install(OLD).look()
    assert classes(guest)[0] == Class.STALE


def test_a_process_whose_profile_was_not_replaced_either_is_stale() -> None:
    """snapd replaces the profiles of running processes: where it did not, nothing excuses what they have."""
    guest = begun(tags=(BLUEZ,))
    profile = guest.kernel[BLUEZ]
    guest.install(NEW).kernel[BLUEZ] = profile
    assert classes(guest.look())[0] == Class.STALE


def test_unrestricted_and_empty_programs_are_none() -> None:
    file = fresh_revert().files[PolicyKind.SECCOMP_BIN, BLUEZ]
    assert programs(file)
    assert programs(replace(file, size=len("@unrestricted\n"))) == {}
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert programs(replace(file, kind=PolicyKind.SECCOMP_BIN2, parts={"unrestricted": empty})) == {}


def test_a_process_that_began_after_the_change_did_not_outlive_it() -> None:
    guest = begun().install(NEW)
    started = guest.now
    guest.change_process(BLUEZ, pid=2000, started=started)
    assert classes(guest.look())[0] == Class.STALE


def test_the_same_process_with_other_filters_was_not_seen_before() -> None:
    guest = begun()
    other = FilterSeen(index=0, sha256=OLD.programs(BLUEZ)["whole"], length=1)
    guest.install(NEW).change_process(BLUEZ, filters=(other, *guest.processes[BLUEZ][0].filters)).look()
    timeline = guest.timeline()
    seen = timeline.boots[-1].looks[-1]
    assert seen.look.snapd
    one, *_ = confinement.read(seen, seen.look.services[0], seen.look.snapd, Knowledge.of(timeline))
    assert (one.kind, one.earlier) == (Class.MIXED, None)


def test_snap_exec_with_half_of_its_policy_does_not_wait() -> None:
    exe = "/usr/lib/snapd/snap-exec"
    filters_only = fresh_revert().change_process(BLUEZ, exe=exe, label="unconfined")
    assert classes(filters_only.look())[0] == Class.UNCONFINED
    profile_only = fresh_revert().change_process(BLUEZ, exe=exe, filters=(), seccomp_mode=0)
    assert classes(profile_only.look())[0] == Class.UNCONFINED


def test_a_tool_of_the_launcher_waits_with_it() -> None:
    guest = fresh_revert().wait_in_launcher(BLUEZ)
    (launcher,) = guest.processes[BLUEZ]
    exe = "/snap/core/x1/usr/lib/snapd/snap-seccomp"
    tool = replace(launcher, pid=4000, ppid=launcher.pid, exe=exe, main=False)
    guest.processes[BLUEZ] = (launcher, tool)
    assert classes(guest.look()) == [Class.WAITING, Class.WAITING]
    guest.processes[BLUEZ] = (launcher, replace(tool, ppid=1))
    assert classes(guest.look()) == [Class.WAITING, Class.UNCONFINED]


def test_a_confined_child_of_a_launcher_is_judged() -> None:
    guest = key_put_back()
    main, child = guest.processes[BLUEZ]
    guest.wait_in_launcher(BLUEZ)
    guest.processes[BLUEZ] = (*guest.processes[BLUEZ], replace(child, ppid=main.pid))
    assert classes(guest.look()) == [Class.WAITING, Class.STALE]
