# SPDX-License-Identifier: GPL-3.0-only
"""What a start does once all is installed, which scenarios that start alike have in common."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.lab_spec import wants_of
from harness.model.plan import InstallSnap, Look, Plan, RebootGuest, SwitchOff
from harness.scenario.alone import alone, cores_of
from harness.scenario.schema import schema

Plans = Callable[[str], tuple[Plan, ...]]

TEXT = """\
summary: the machine is switched off when 2.68.3 has been refreshed to
image: trixie-snapd-2.57.6
start:
  core: "2.57.6"
  snaps: [network-manager]
  then:
    - reboot: clean
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
    assert wants_of(plan).boots_before == 2
    assert all(not (each.checks or each.twins) for each in actions if isinstance(each, Look))
    after = [step.action for step in plan.steps[len(actions) :]]
    judged = [each for each in after if isinstance(each, Look)]
    assert [(len(look.checks), look.twins) for look in judged] == [(1, True), (1, False), (1, True)]


def test_its_steps_know_their_lines(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    lines = {step.title: step.span.line for step in plan.start if step.span}
    assert lines == {"reboot (clean)": 7, "install witness": 8, "refresh core to 2.68.3": 9}


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
        ("hold: snapd.service", 7, "unknown step of a start 'hold'"),
        ("during: {revert: core}", 7, "unknown step of a start 'during'"),
        ("refresh: {core: 2.68.4}", 7, "unknown core '2.68.4'"),
        ("revert: witness", 7, "cannot revert 'witness': it is not installed here"),
    ],
)
def test_a_mistake(mistakes: Callable[[str], list[str]], step: str, line: int, says: str) -> None:
    told = mistakes(TEXT.replace("reboot: clean", step, 1))
    assert any(each.startswith(f"s.yaml:{line}:") and says in each for each in told), told


def test_the_schema_has_its_steps() -> None:
    steps = schema()["$defs"]["step-of-a-start"]["oneOf"]
    assert {each["required"][0] for each in steps} == {
        "install", "refresh", "revert", "remove", "connect", "disconnect", "reboot", "wait", "run",
    }  # fmt: skip
