# SPDX-License-Identifier: GPL-3.0-only
"""What a start does once all is installed, which scenarios that start alike have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.lab_spec import installed_files, wants_of
from harness.model.plan import (
    AwaitChange,
    AwaitPoint,
    AwaitReady,
    Boot,
    HoldUnit,
    InstallSnap,
    Look,
    Plan,
    RebootGuest,
    ReleaseUnit,
    RunCommand,
    SwitchOff,
)
from harness.model.point import ProgramExecuted
from harness.policy.holds import failed_holds
from harness.scenario.alone import alone, cores_of
from harness.scenario.schema import schema
from tests.unit.builders import fresh_revert

Plans = Callable[[str], tuple[Plan, ...]]

TEXT = """\
summary: the machine is switched off when 2.68.3 has been refreshed to
image: trixie-snapd-2.57.6
start:
  core: "2.57.6"
  snaps: [network-manager]
  then:
    - reboot: reset
    - install: witness
    - refresh: {core: "2.68.3"}
steps:
  - revert: core
  - reboot: clean
hold:
  - policy-from-running-snapd
  - twin-agrees
  - network-managed
"""


def looks(plan: Plan) -> list[tuple[str, str, bool]]:
    found = [step.action for step in plan.steps if isinstance(step.action, Look)]
    return [(look.reason, look.expects_core, look.boot_end) for look in found]


def test_it_is_followed_and_looked_at(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    assert looks(plan) == [
        ("after the start", "2.57.6", False),
        ("at the end of the installations", "2.57.6", True),
        ("at boot 2", "2.57.6", True),
        ("after install witness", "2.57.6", False),
        ("at the end of the start", "2.68.3", True),
        ("at boot 3", "2.68.3", True),
        ("at the end of boot 3", "2.57.6", True),
        ("at boot 4", "2.57.6", True),
    ]
    assert plan.services == ("snap.network-manager.networkmanager", "snap.witness.report")
    assert {ref.entry for ref in plan.snaps} == {"2.57.6", "2.68.3", "network-manager", "witness"}


def test_it_is_all_before_the_machine_is_switched_off_and_differs_in_no_check(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    actions = [step.action for step in plan.start]
    assert isinstance(actions[-1], SwitchOff)
    assert sum(isinstance(action, RebootGuest) for action in actions) == 1
    assert plan.boots_before == 2
    assert all(not (each.checks or each.twins) for each in actions if isinstance(each, Look))
    after = [step.action for step in plan.steps[len(actions) :]]
    judged = [each for each in after if isinstance(each, Look)]
    assert [(len(look.checks), look.twins) for look in judged] == [(1, True), (1, False), (1, True)]


def test_its_steps_know_their_lines(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    lines = {step.title: step.span.line for step in plan.start if step.span}
    assert lines == {"reboot (reset)": 7, "install witness": 8, "refresh core to 2.68.3": 9}


def test_control_boots_leave_it_out(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    lines = TEXT.splitlines()
    (without,) = plans("\n".join([*lines[:5], *lines[9:]]).replace("revert: core", "install: witness"))
    control = alone(plan, cores_of(plan)[0])
    assert control.start == without.start
    assert [step.action for step in control.start if isinstance(step.action, InstallSnap)] == [
        step.action for step in without.start if isinstance(step.action, InstallSnap)
    ]


@pytest.mark.parametrize(
    ("step", "line", "says"),
    [
        ("reboot: kill", 7, "a start has no 'reboot: kill'; expected clean or reset; put it into 'steps'"),
        ("release: snapd.service", 7, "unknown step of a start 'release'"),
        ("hold: snapd.service", 7, "'snapd.service' is held when the start's machine switches itself off"),
        ("hold: {unit: snapd.service, for: 3 s}", 7, "the hold of 'snapd.service' ends by itself"),
        ("refresh: {core: 2.68.4}", 7, "unknown core '2.68.4'"),
        ("revert: witness", 7, "cannot revert 'witness': it is not installed here"),
    ],
)
def test_a_mistake(mistakes: Callable[[str], list[str]], step: str, line: int, says: str) -> None:
    told = mistakes(TEXT.replace("reboot: reset", step, 1))
    assert any(each.startswith(f"s.yaml:{line}:") and says in each for each in told), told


def test_the_schema_has_its_steps() -> None:
    steps = schema()["$defs"]["step-of-a-start"]["oneOf"]
    assert {each["required"][0] for each in steps} == {
        "install", "refresh", "revert", "remove", "connect", "disconnect", "reboot", "wait", "run", "hold",
        "during",
    }  # fmt: skip


# -- a start that begins with a boot of its own


def test_it_goes_on_from_what_was_installed(plans: Plans) -> None:
    (plan,) = plans(TEXT.replace("reboot: reset", "reboot: clean"))
    lines = TEXT.splitlines()
    (without,) = plans("\n".join([*lines[:5], *lines[9:]]).replace("revert: core", "install: witness"))
    installed, start = plan.starts
    assert installed == without.start
    assert start == plan.start
    assert [type(step.action) for step in start[len(installed) :]] == [
        Boot, Look, InstallSnap, Look, InstallSnap, Look, SwitchOff,
    ]  # fmt: skip
    assert plan.boots_before == 2
    assert looks(plan)[1:4] == [
        ("at the end of the start", "2.57.6", True),
        ("at boot 2", "2.57.6", True),
        ("after install witness", "2.57.6", False),
    ]


def test_one_that_has_nothing_else_to_do_boots_once_more(plans: Plans) -> None:
    lines = TEXT.replace("reboot: reset", "reboot: clean").splitlines()
    (plan,) = plans("\n".join([*lines[:7], *lines[9:]]).replace("revert: core", "install: witness"))
    installed, start = plan.starts
    assert [type(step.action) for step in start[len(installed) :]] == [Boot, Look, SwitchOff]


# -- a start that ends with a change under way

WINDOW = """\
summary: the machine is reset when 2.57.6 is to run again, and snapd is held in the boot after it
image: trixie-snapd-2.57.6
start:
  core: "2.57.6"
  snaps: [network-manager]
  then:
    - refresh: {core: "2.68.3"}
    - hold: snapd.service
    - during: {revert: core}
      do:
        - wait: {held: snapd.service}
        - run: sync
        - reboot: reset
steps:
  - run: echo snapd is held
  - release: snapd.service
hold: [policy-from-running-snapd]
"""


def test_a_start_may_end_by_a_reset_with_a_unit_held(plans: Plans) -> None:
    (plan,) = plans(WINDOW)
    actions = [step.action for step in plan.start]
    assert actions[-1] == SwitchOff(at_once=True)
    assert not any(isinstance(step.action, RebootGuest | AwaitChange) for step in plan.steps)
    assert [type(step.action) for step in plan.steps[len(actions) :]] == [
        Boot, AwaitReady, RunCommand, ReleaseUnit, Look,
    ]  # fmt: skip
    assert plan.steps[len(actions)].action == Boot(held=True)
    assert looks(plan)[-2:] == [
        ("after refresh core to 2.68.3", "2.68.3", False),
        ("at boot 2", "2.57.6", True),
    ]
    wants = wants_of(plan)
    assert plan.boots_before == 1
    assert wants.holds_before == (HoldUnit(1, "snapd.service"),)


def test_what_is_installed_by_a_change_under_way_is_of_the_start(plans: Plans) -> None:
    text = WINDOW.replace("during: {revert: core}", 'during: {refresh: {core: "2.77.1"}}')
    (plan,) = plans(text)
    files = {ref.entry: ref.file_name for ref in plan.snaps}
    assert installed_files(plan.start) == set(files.values())


def test_a_hold_of_a_start_must_keep_its_unit_waiting_in_the_boot_after_it(plans: Plans) -> None:
    (plan,) = plans(WINDOW)
    timeline = replace(fresh_revert().timeline(), plan=plan)
    failed = [(each.kind, each.boot) for each in failed_holds(timeline)]
    assert failed == [("never-held", 2)]


@pytest.mark.parametrize(
    ("step", "other", "line", "says"),
    [
        ("reboot: reset", "reboot: clean", 9, "expected 'do' that ends with 'reboot: reset'"),
        ("reboot: reset", "run: 'true'", 9, "expected 'do' that ends with 'reboot: reset'"),
        ("run: sync", "when: {after: 1 s}", 12, "no step of a start"),
        ("run: sync", "release: snapd.service", 12, "no step of a start"),
        ("run: sync", "{fault: full-disk, do: [run: sync]}", 12, "no step of a start"),
        ("reboot: reset\n", "reboot: reset\n    - run: sync\n", 9, "before the end of the start"),
        ("release: snapd.service", "run: sync", 8, "'snapd.service' is never released"),
    ],
)
def test_a_mistake_at_its_end(
    mistakes: Callable[[str], list[str]], step: str, other: str, line: int, says: str
) -> None:
    told = mistakes(WINDOW.replace(step, other, 1))
    assert any(each.startswith(f"s.yaml:{line}:") and says in each for each in told), told


def test_a_boot_that_comes_next_and_begins_with_a_point_is_looked_at_after_what_follows(plans: Plans) -> None:
    (plan,) = plans(TEXT.replace("steps:\n", "steps:\n  - when: {exec: snapd}\n  - run: ls\n"))
    after = [step.action for step in plan.steps[len(plan.start) :]]
    assert after[:4] == [
        Boot(held=True),
        AwaitPoint(ProgramExecuted("snapd")),
        AwaitReady(),
        RunCommand("ls"),
    ]
    assert looks(plan)[5] == ("at boot 3", "2.68.3", True)
