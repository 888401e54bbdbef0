# SPDX-License-Identifier: GPL-3.0-only
"""The invariants about units, snapd's identity, the console, and what checks read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.invariant import (
    bluetooth_managed,
    console_clean,
    network_managed,
    snapd_identity,
    units_healthy,
)
from harness.model.invariants import INVARIANTS
from harness.model.plan import InstallSnap, PlannedStep, SnapRef
from harness.model.timeline import Timeline
from harness.model.verdict import Finding, Outcome
from harness.registry import JUDGES
from tests.unit.builders import BLUEZ, NETWORK, NEW, OLD, Guest, begun, fresh_revert, unit

HELD, UNPROVEN, VIOLATED = Outcome.HELD, Outcome.UNPROVEN, Outcome.VIOLATED


def told(found: tuple[Finding, ...], boot: int) -> list[tuple[str, Outcome, str]]:
    return [(f.subject, f.outcome, f.kind) for f in found if f.boot == boot]


def test_every_invariant_has_its_judge_and_nothing_else_has() -> None:
    assert set(JUDGES) == set(INVARIANTS)


# -- units


def one_boot(**changes: object) -> Guest:
    guest = Guest(tags=(BLUEZ,)).power_on().install(OLD).start_services()
    if changes:
        guest.units[BLUEZ] = unit(f"{BLUEZ}.service", **changes)  # type: ignore[arg-type]
    return guest


@pytest.mark.parametrize(
    ("changes", "outcome", "kind"),
    [
        ({}, HELD, "active"),
        ({"state": "failed", "sub": "failed", "result": "exit-code"}, VIOLATED, "failed"),
        ({"state": "inactive", "sub": "dead"}, VIOLATED, "inactive"),
        ({"state": "activating", "sub": "auto-restart"}, VIOLATED, "activating"),
        ({"restarts": 1}, VIOLATED, "restarted"),
        ({"state": "unknown", "sub": ""}, UNPROVEN, "unseen"),
    ],
)
def test_units_are_judged_by_what_systemd_says(
    changes: dict[str, object], outcome: Outcome, kind: str
) -> None:
    found = units_healthy.judge(one_boot(**changes).look().timeline(), {})
    assert told(found, 1) == [(f"{BLUEZ}.service", outcome, kind)]


def restarting(*counts: int) -> list[tuple[str, Outcome, str]]:
    """A look for each count, and one at the boot's end."""
    guest = Guest(tags=(BLUEZ,)).power_on().install(OLD)
    ref = SnapRef("bluez", "bluez", "bluez.snap")
    guest.start_services()
    guest.steps.append(PlannedStep("i", "install bluez", InstallSnap(ref), 1.0))
    for count in counts:
        guest.units[BLUEZ] = unit(f"{BLUEZ}.service", restarts=count)
        guest.look(boot_end=False)
    guest.look()
    return told(units_healthy.judge(guest.timeline(), {}), 1)


def test_restarts_of_a_snap_just_installed_count_from_the_first_look() -> None:
    assert restarting(4, 4) == [(f"{BLUEZ}.service", HELD, "active")]
    assert restarting(4, 5) == [(f"{BLUEZ}.service", VIOLATED, "restarted")]
    assert restarting() == [(f"{BLUEZ}.service", HELD, "active")]
    assert restarting(4, 0) == [(f"{BLUEZ}.service", HELD, "active")]


def test_restarts_before_the_only_look_count() -> None:
    guest = one_boot(restarts=4)
    ref = SnapRef("bluez", "bluez", "bluez.snap")
    guest.steps.append(PlannedStep("i", "install bluez", InstallSnap(ref), 1.0))
    assert told(units_healthy.judge(guest.look().timeline(), {}), 1) == [
        (f"{BLUEZ}.service", VIOLATED, "restarted")
    ]


def test_restarts_in_a_later_boot_all_count() -> None:
    guest = begun().reboot().start_snapd().start_services()
    guest.units[BLUEZ] = unit(f"{BLUEZ}.service", restarts=1)
    found = units_healthy.judge(guest.look(boot_end=False).look().timeline(), {"units": (BLUEZ,)})
    assert told(found, 3) == [(f"{BLUEZ}.service", VIOLATED, "restarted")]


def test_a_unit_that_may_still_start_is_unproven() -> None:
    found = units_healthy.judge(one_boot(state="inactive").look(unsettled=("a job",)).timeline(), {})
    assert told(found, 1) == [(f"{BLUEZ}.service", UNPROVEN, "unsettled")]


def test_a_snap_unit_that_failed_is_violated_although_nobody_asked() -> None:
    failed = (unit("snap.x.y.service", "failed", "failed"), unit("apt-daily.service", "failed", "failed"))
    found = units_healthy.judge(one_boot().look(failed_units=failed).timeline(), {"units": (BLUEZ,)})
    assert told(found, 1)[1:] == [("snap.x.y.service", VIOLATED, "failed")]


def test_a_unit_that_no_look_tells_of_is_unproven() -> None:
    found = units_healthy.judge(one_boot().look().timeline(), {"units": ("ModemManager.service",)})
    assert told(found, 1) == [("ModemManager.service", UNPROVEN, "unseen")]


# -- snapd


def test_the_expected_snapd_is_held_at_each_end() -> None:
    found = snapd_identity.judge(fresh_revert().timeline(), {})
    assert [(f.boot, f.outcome) for f in found] == [(1, HELD), (2, HELD), (3, HELD), (4, HELD)]


def test_another_core_is_violated_and_both_are_named() -> None:
    (*_, found) = snapd_identity.judge(begun().reboot().start_snapd().look(core=NEW).timeline(), {})
    assert (found.outcome, found.kind, found.author) == (VIOLATED, "other", "2.57.6")
    assert "2.57.6" in found.summary
    assert "2.68.3" in found.summary


def test_a_build_of_no_core_is_violated_with_its_path() -> None:
    guest = begun()
    assert guest.snapd
    stranger = replace(guest.snapd, build_id="f" * 40, exe="/usr/lib/snapd/snapd")
    (*_, found) = snapd_identity.judge(guest.look(snapd=stranger).timeline(), {})
    assert (found.outcome, found.kind) == (VIOLATED, "unknown")
    assert "/usr/lib/snapd/snapd" in found.summary


def test_an_expectation_without_a_build_id_proves_nothing() -> None:
    timeline = replace(begun().timeline(), artifacts=())
    assert {f.outcome for f in snapd_identity.judge(timeline, {})} == {UNPROVEN}


def test_a_snapd_without_a_build_id_proves_nothing() -> None:
    guest = begun()
    assert guest.snapd
    (*_, found) = snapd_identity.judge(guest.look(snapd=replace(guest.snapd, build_id="")).timeline(), {})
    assert found.outcome == UNPROVEN


def test_two_build_ids_that_are_not_known_are_not_the_same() -> None:
    guest = begun()
    assert guest.snapd
    guest.look(snapd=replace(guest.snapd, build_id=""))
    (*_, found) = snapd_identity.judge(replace(guest.timeline(), artifacts=()), {})
    assert found.outcome == UNPROVEN


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"snapd_unit": unit("snapd.service", "failed", "failed")}, VIOLATED),
        ({"snapd_unit": unit("snapd.service", "inactive", "dead")}, VIOLATED),
        ({"snapd_unit": unit("snapd.service", "inactive", "dead", exit_status=42), "services": ()}, UNPROVEN),
        ({"snapd_unit": unit("snapd.service", "inactive", "dead", exit_status=42)}, VIOLATED),
        ({"snapd_unit": unit("snapd.service", "inactive", "dead"), "problems": ("x",)}, UNPROVEN),
        ({"snapd_unit": unit("snapd.service", "inactive", "dead"), "unsettled": ("x",)}, UNPROVEN),
        ({"snapd_unit": unit("snapd.service")}, UNPROVEN),
    ],
)
def test_no_snapd(changes: dict[str, Any], outcome: Outcome) -> None:
    (*_, found) = snapd_identity.judge(begun().look(snapd=None, **changes).timeline(), {})
    assert found.outcome == outcome


# -- console


def console(line: str, *allow: str) -> list[tuple[str, Outcome, str]]:
    guest = begun()
    guest.say(line)
    return told(console_clean.judge(guest.timeline(), {"allow": allow}), 2)


def test_a_clean_console_is_held() -> None:
    assert console("[    3.1] systemd[1]: Started snapd.") == [("console", HELD, "clean")]


def test_trouble_is_violated_with_its_line() -> None:
    guest = begun()
    guest.say("[   12.0] Kernel panic - not syncing: Fatal exception")
    found = console_clean.judge(guest.timeline(), {})
    (bad,) = [f for f in found if f.outcome == VIOLATED]
    assert (bad.boot, bad.kind) == (2, "panic")
    assert (bad.evidence[0].file, bad.evidence[0].line) == ("console.log", 3)


def test_what_is_allowed_is_accepted_and_told() -> None:
    line = "daemon[7]: segfault at 0 ip 00007f sp 00007f error 4"
    assert console(line) == [("segfault", VIOLATED, "segfault")]
    assert console(line, "segfault") == [("console", HELD, "clean")]
    assert console(line, "panic") == [("segfault", VIOLATED, "segfault")]


def test_a_silent_console_proves_nothing() -> None:
    timeline = begun().timeline()
    silent = replace(timeline, boots=(timeline.boots[0], replace(timeline.boots[1], console=())))
    assert told(console_clean.judge(silent, {}), 2) == [("console", UNPROVEN, "unseen")]


def test_a_planned_boot_that_never_came_proves_nothing() -> None:
    timeline = begun().timeline()
    assert told(console_clean.judge(replace(timeline, boots=timeline.boots[:1]), {}), 2) == [
        ("console", UNPROVEN, "unseen")
    ]


# -- checks

ETH1: Mapping[str, tuple[str, ...]] = {"interface": ("eth1",)}


def network(timeline: Timeline) -> list[tuple[str, Outcome, str]]:
    return told(network_managed.judge(timeline, ETH1), 1)


@pytest.mark.parametrize(
    ("passed", "outcome", "kind"),
    [(True, HELD, "passed"), (False, VIOLATED, "failed"), (None, UNPROVEN, "unread")],
)
def test_a_check_is_judged_by_what_was_read(passed: bool | None, outcome: Outcome, kind: str) -> None:
    guest = one_boot().look().check("network-managed", passed, {"interface": "eth1"})
    assert network(guest.timeline()) == [("eth1", outcome, kind)]


def test_a_check_never_read_is_unproven() -> None:
    assert network(one_boot().look().timeline()) == [("eth1", UNPROVEN, "unread")]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("network-managed", {"interface": "eth0"}), ("bluetooth-managed", {"interface": "eth1"})],
)
def test_a_check_of_something_else_proves_nothing(name: str, parameters: dict[str, str]) -> None:
    guest = one_boot().look().check(name, True, parameters)
    assert network(guest.timeline()) == [("eth1", UNPROVEN, "unread")]


def test_the_worst_of_two_readings_counts() -> None:
    guest = one_boot().look().check("network-managed", True, {"interface": "eth1"})
    guest.check("network-managed", False, {"interface": "eth1"})
    assert network(guest.timeline()) == [("eth1", VIOLATED, "failed")]
    guest = one_boot().look().check("network-managed", True, {"interface": "eth1"})
    guest.check("network-managed", None, {"interface": "eth1"})
    assert network(guest.timeline()) == [("eth1", UNPROVEN, "unread")]


def test_a_check_counts_for_its_own_boot_only() -> None:
    guest = begun().check("bluetooth-managed", True, {})
    found = bluetooth_managed.judge(guest.timeline(), {})
    assert [(f.boot, f.outcome) for f in found] == [(1, UNPROVEN), (2, HELD)]


def test_every_judge_is_unproven_of_a_run_that_never_got_anywhere() -> None:
    empty = replace(begun().timeline(), boots=(), events=())
    for name, judge in JUDGES.items():
        assert {f.outcome for f in judge(empty, {})} == {UNPROVEN}, name


def test_subjects_are_what_people_ask_for() -> None:
    found = units_healthy.judge(begun().timeline(), {"units": (NETWORK,)})
    assert {f.subject for f in found} == {f"{NETWORK}.service"}
