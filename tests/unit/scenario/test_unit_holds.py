# SPDX-License-Identifier: GPL-3.0-only
"""Units that are held: what a scenario becomes, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.model.plan import (
    AwaitReady,
    AwaitUnit,
    HoldUnit,
    Look,
    Plan,
    RebootGuest,
    ReleaseUnit,
    RunCommand,
)
from harness.model.scenario import RebootHow, Timeouts

PlanOfSteps = Callable[[str], Plan]
WINDOW = """\
  - refresh: {core: "2.68.3"}
  - hold: snapd.service
  - during: {revert: core}
    do: [wait: {held: snapd.service, within: 5 s}, reboot: reset]
  - run: ls
  - release: snapd.service
"""


def after(plan: Plan, number: str) -> list[object]:
    """The actions from that step on, looks by the reason alone."""
    at = next(place for place, step in enumerate(plan.steps) if step.number == number)
    actions = (step.action for step in plan.steps[at:])
    return [action.reason if isinstance(action, Look) else action for action in actions]


def test_a_boot_that_begins_held_is_looked_at_after_the_release(plan_of_steps: PlanOfSteps) -> None:
    held, *rest = after(plan_of_steps(WINDOW), "15.1")
    assert held == AwaitUnit("revert-safety-hold-1.service", "activating")
    assert rest[0] == RebootGuest(RebootHow.RESET, held=True)
    assert rest[2:] == [
        AwaitReady(), RunCommand("ls"), ReleaseUnit(1, "snapd.service"), "at boot 3"
    ]  # fmt: skip


def test_a_release_needs_no_commands_and_the_look_does(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps(
        "  - hold: snapd.apparmor.service\n  - reboot: clean\n  - release: snapd.apparmor.service"
    )
    assert after(plan, "12") == [
        HoldUnit(1, "snapd.apparmor.service"),
        "at the end of boot 2",
        RebootGuest(RebootHow.CLEAN, held=True),
        ReleaseUnit(1, "snapd.apparmor.service"),
        AwaitReady(),
        "at boot 3",
    ]


def test_a_boot_that_ends_held_is_not_judged(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps(
        "  - hold: snapd.service\n  - reboot: clean\n  - reboot: reset\n  - release: snapd.service"
    )
    looks = [step.action for step in plan.steps if isinstance(step.action, Look)]
    assert [look.reason for look in looks][-2:] == ["at the end of boot 2", "at boot 4"]


def test_all_must_be_released_before_the_look(plan_of_steps: PlanOfSteps) -> None:
    names = "snapd.service", "snap-core-x1.mount"
    steps = [*(f"  - hold: {n}" for n in names), "  - reboot: reset", *(f"  - release: {n}" for n in names)]
    assert after(plan_of_steps("\n".join(steps)), "16")[-3:] == [
        ReleaseUnit(2, names[1]), AwaitReady(), "at boot 3"
    ]  # fmt: skip


def test_one_that_ends_by_itself_gives_the_next_boot_its_time(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps("  - hold: {unit: a.service, for: 30 s}\n  - reboot: reset\n  - reboot: reset")
    assert plan.holds == (HoldUnit(1, "a.service", 30.0),)
    reboots = [step for step in plan.steps if isinstance(step.action, RebootGuest)]
    assert [step.timeout for step in reboots] == [Timeouts().boot + 30, Timeouts().boot]
    assert not any(step.action.held for step in reboots if isinstance(step.action, RebootGuest))
    ends = [s.timeout for s in plan.steps if isinstance(s.action, Look) and s.action.boot_end]
    assert [seconds - Timeouts().settle for seconds in ends] == [0, 0, 30, 30, 0]


def test_a_command_that_ends_one_has_a_steps_time(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps("  - hold: {unit: a.mount, until: test -e /x}\n  - reboot: reset")
    assert plan.holds == (HoldUnit(1, "a.mount", until="test -e /x"),)
    reboot = next(step for step in plan.steps if isinstance(step.action, RebootGuest))
    assert reboot.timeout == Timeouts().boot + Timeouts().step


@pytest.mark.parametrize(
    ("steps", "line", "column", "says"),
    [
        ("  - hold: snap.witness.reprt.service", 7, 5, "did you mean snap.witness.report.service?"),
        ("  - hold: snapd", 7, 11, "'hold' is 'snapd'; expected a unit's name, such as x.service"),
        ("  - hold: multi-user.target", 7, 11, "expected a unit's name"),
        ("  - hold: {unit: a.service, for: 3}", 7, 34, "'3' has no unit"),
        ("  - hold: {unit: a.service, for: 0 s}", 7, 34, "'0 s' is not between 1 ms and"),
        ("  - hold: {for: 3 s}", 7, 11, "hold lacks 'unit'"),
        ("  - hold: {unit: a.service, for: 3 s, until: ls}", 7, 11, "has both 'for' and 'until'"),
        ("  - hold: snapd.service", 7, 5, "'snapd.service' is never released; write 'release: snapd.serv"),
        (
            "  - release: snapd.service",
            7,
            5,
            "cannot release 'snapd.service': it is not held here; write",
        ),
        (
            "  - hold: a.service\n  - release: b.service\n  - release: a.service",
            8,
            5,
            "cannot release 'b.service': it is not held here; held here: a.service",
        ),
        ("  - wait: {held: a.service}", 7, 5, "cannot wait for 'a.service': it is not held here"),
        (
            "  - hold: {unit: a.service, for: 3 s}\n  - release: a.service",
            8,
            5,
            "the hold of 'a.service' ends by itself",
        ),
        (
            "  - hold: a.service\n  - hold: a.service\n  - release: a.service",
            8,
            5,
            "'a.service' is already held here, since s.yaml:7:5",
        ),
        (
            "  - hold: snapd.service\n  - reboot: reset\n  - remove: witness\n  - release: snapd.service",
            9,
            5,
            "'snapd.service' is held here (since s.yaml:7:5), so this change would never be done",
        ),
        (
            '  - hold: snapd.service\n  - refresh: {core: "2.68.3"}\n  - release: snapd.service',
            8,
            5,
            "this change would never be done; write 'release: snapd.service' before",
        ),
        (
            "  - hold: snapd.service\n  - during: {revert: core}\n    do: [wait: settled]\n  - reboot: reset",
            8,
            5,
            "this change would never be done",
        ),
    ],
)
def test_a_mistake(
    good: str, mistakes: Callable[[str], list[str]], steps: str, line: int, column: int, says: str
) -> None:
    head, _, rest = good.partition("steps:\n")
    told = mistakes(f"{head}steps:\n{steps}\nhold:{rest.partition('hold:')[2]}")
    assert any(each.startswith(f"s.yaml:{line}:{column}: ") and says in each for each in told), told


@pytest.mark.parametrize(
    "release", ["release: snapd.service", "{fault: {failing: snap-seccomp}, do: [release: snapd.service]}"]
)
def test_what_can_be_done_although_snapd_is_held(plan_of_steps: PlanOfSteps, release: str) -> None:
    steps = (
        "  - hold: snapd.service\n  - remove: witness\n"
        f'  - during: {{refresh: {{core: "2.68.3"}}}}\n    do: [{release}]'
    )
    assert ReleaseUnit(1, "snapd.service") in after(plan_of_steps(steps), "12")
