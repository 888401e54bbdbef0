# SPDX-License-Identifier: GPL-3.0-only
"""A service and its twin have the same policy, or it is said how they differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.invariant.twin_agrees import judge
from harness.model.observation import ProcessSeen, TwinSeen
from harness.model.timeline import Timeline
from harness.model.verdict import Finding, Outcome
from tests.unit.builders import BLUEZ, NETWORK, Guest, begun, digest


def twin_of(process: ProcessSeen, **changes: Any) -> ProcessSeen:
    return replace(process, pid=9000, comm="bash", exe="/bin/bash", **changes)


def asked(guest: Guest) -> Timeline:
    """The guest's timeline, its last look asked for twins."""
    last = guest.steps[-1]
    guest.steps[-1] = replace(last, action=replace(last.action, twins=True))  # type: ignore[call-overload]
    return guest.timeline()


def main_of(guest: Guest, tag: str) -> ProcessSeen:
    _, look = guest.looks[-1]
    (service,) = (service for service in look.services if service.tag == tag)
    return next(process for process in service.processes if process.main)


def judged(*, bluez: TwinSeen | None, **changes: Any) -> dict[str, Finding]:
    """What is found when NetworkManager's twin is alike and bluez's is as given."""
    guest = begun()
    network = TwinSeen(tag=NETWORK, process=twin_of(main_of(guest, NETWORK)))
    boot, look = guest.looks[-1]
    twins = (network, bluez) if bluez else (network,)
    guest.looks[-1] = (boot, replace(look, twins=twins, **changes))
    return {finding.subject: finding for finding in judge(asked(guest), {})}


def bluez_twin(**changes: Any) -> TwinSeen:
    return TwinSeen(tag=BLUEZ, process=twin_of(main_of(begun(), BLUEZ), **changes))


def test_twins_that_are_alike_hold() -> None:
    found = judged(bluez=bluez_twin())
    assert {finding.outcome for finding in found.values()} == {Outcome.HELD}
    assert set(found) == {NETWORK, BLUEZ}


def other_filter() -> Any:
    first, *rest = main_of(begun(), BLUEZ).filters
    return (replace(first, sha256=digest("another")), *rest)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"filters": other_filter()}, "seccomp is "),
        ({"filters": main_of(begun(), BLUEZ).filters[:-1]}, "seccomp is "),
        ({"filters": (), "seccomp_mode": 0}, "its twin's none (mode 0)"),
        (
            {"label": "unconfined", "label_mode": ""},
            "AppArmor is snap.bluez.bluez (enforce), its twin's unconfined",
        ),
        ({"label_mode": "complain"}, "its twin's snap.bluez.bluez (complain)"),
    ],
)
def test_a_twin_with_other_policy_violates(changes: dict[str, Any], says: str) -> None:
    found = judged(bluez=bluez_twin(**changes))
    assert found[BLUEZ].outcome == Outcome.VIOLATED
    assert says in found[BLUEZ].summary
    assert found[NETWORK].outcome == Outcome.HELD


@pytest.mark.parametrize(
    ("twin", "says"),
    [
        (None, "the look has none"),
        (TwinSeen(tag=BLUEZ, problem="the twin ended with status 1: cannot change profile"), "status 1"),
        (TwinSeen(tag=BLUEZ), "it had gone before it was read"),
        (bluez_twin(problem="cannot read seccomp filters"), "cannot read seccomp filters"),
    ],
)
def test_without_a_whole_twin_nothing_is_proven(twin: TwinSeen | None, says: str) -> None:
    found = judged(bluez=twin)
    assert found[BLUEZ].outcome == Outcome.UNPROVEN
    assert says in found[BLUEZ].summary


def test_a_guest_that_had_not_settled_proves_nothing() -> None:
    found = judged(bluez=bluez_twin(), unsettled=("a job",))
    assert found[BLUEZ].outcome == Outcome.UNPROVEN


def test_a_service_without_a_process_proves_nothing() -> None:
    found = judged(bluez=bluez_twin(), services=())
    assert {finding.outcome for finding in found.values()} == {Outcome.UNPROVEN}


def test_a_look_that_was_never_taken_proves_nothing() -> None:
    guest = begun()
    timeline = asked(guest)
    boots = tuple(replace(boot, looks=()) for boot in timeline.boots)
    (finding,) = judge(replace(timeline, boots=boots), {})
    assert finding.outcome == Outcome.UNPROVEN


def test_looks_that_asked_for_no_twins_prove_nothing() -> None:
    assert [finding.outcome for finding in judge(begun().timeline(), {})] == [Outcome.UNPROVEN]
