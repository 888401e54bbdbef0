# SPDX-License-Identifier: GPL-3.0-only
"""The control boots of one core, as a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.model.plan import (
    AwaitCommand,
    Boot,
    ConnectPlug,
    InstallSnap,
    Look,
    Plan,
    RebootGuest,
    RunCommand,
    SwitchOff,
)
from harness.model.repeat import Perturbation, Repeat
from harness.model.scenario import MachineOptions
from harness.scenario.alone import IS_MADE, MAKE_ANEW, alone, cores_of, start_of

Plans = Callable[[str], tuple[Plan, ...]]

TEXT = """\
summary: a core is refreshed and reverted
image: trixie-snapd-2.57.6
start:
  core: "2.57.6"
  snaps: [network-manager, bluez]
  connections: ["network-manager:network-setup-observe"]
steps:
  - install: witness
  - refresh: {core: "2.68.3"}
  - connect: "bluez:network-control"
  - reboot: clean
hold:
  - policy-from-running-snapd
"""
ANEW = [RunCommand(MAKE_ANEW), AwaitCommand(IS_MADE)]


def test_the_cores_are_those_of_the_scenario_in_order(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    assert [ref.entry for ref in cores_of(plan)] == ["2.57.6", "2.68.3"]


def test_everything_is_made_anew_before_each_of_two_clean_boots(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    first, second = (alone(plan, core) for core in cores_of(plan))
    actions = [step.action for step in first.steps]
    assert first.start == plan.start
    assert [type(action) for action in actions[len(plan.start) - 1 :][:2]] == [SwitchOff, Boot]
    assert [type(action) for action in actions[-8:]] == [RunCommand, AwaitCommand, RebootGuest, Look] * 2
    assert actions[-8:-6] == actions[-4:-2] == ANEW
    looks = [action for action in actions[len(plan.start) :] if isinstance(action, Look)]
    assert [(look.boot_end, look.expects_core) for look in looks] == [(True, "2.57.6")] * 2
    refreshed = [a for a in (step.action for step in second.steps) if isinstance(a, InstallSnap)]
    assert [(a.ref.entry, a.refresh) for a in refreshed if a.ref.is_core] == [
        ("2.57.6", False),
        ("2.68.3", True),
    ]
    assert [step.number for step in second.steps] == [str(n) for n in range(1, len(second.steps) + 1)]


def test_the_start_is_the_scenarios_and_what_its_steps_do_is_left_out(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    start = start_of(plan)
    assert [ref.snap for ref in start.snaps] == ["network-manager", "bluez"]
    control = alone(plan, cores_of(plan)[1])
    assert start_of(control) == start
    assert [step.action for step in control.steps if isinstance(step.action, ConnectPlug)] == [
        *start.connections
    ]
    assert "network-manager:network-setup-observe" in [one.plug for one in start.connections]
    assert "bluez:network-control" not in [one.plug for one in start.connections]
    assert {ref.snap for ref in control.snaps} == {"core", "network-manager", "bluez"}
    assert {tag.split(".")[1] for tag in control.services} == {"network-manager", "bluez"}


def test_it_is_told_apart_from_the_scenario_and_judged_by_nothing(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    control = alone(plan, cores_of(plan)[1])
    assert control.title == "fingerprint/2.68.3"
    assert (control.invariants, control.controls) == ((), ())


def test_it_is_carried_out_once_where_the_scenario_is_repeated(plans: Plans) -> None:
    (plan,) = plans(TEXT)
    repeated = replace(plan, repeat=Repeat(3), perturbation=Perturbation(seed=1, number=2))
    control = alone(repeated, cores_of(plan)[1])
    assert (control.repeat, control.perturbation) == (None, None)
    assert control.title == "fingerprint/2.68.3"


def test_it_is_carried_out_on_the_labs_own_machine(plans: Plans) -> None:
    (plan,) = plans(f"{TEXT}machine: {{cpus: 1, clock-back: 30 days}}\n")
    assert alone(plan, cores_of(plan)[0]).machine == MachineOptions()


def test_what_was_made_before_is_gone_before_snapd_makes_it_anew() -> None:
    stop, find, *_, key, start = MAKE_ANEW.splitlines()[1:]
    assert stop.startswith("systemctl stop ")
    assert find.startswith(
        "find /var/lib/snapd/seccomp/bpf /var/lib/snapd/apparmor/profiles /var/cache/apparmor"
    )
    assert key == "rm -f /var/lib/snapd/system-key"
    assert start.startswith("systemctl start ")
