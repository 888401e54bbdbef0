# SPDX-License-Identifier: GPL-3.0-only
"""What a plan has that its scenario does not say: the start, looks, boots' ends, what must run when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.model import codec
from harness.model.catalogue import Catalogue
from harness.model.plan import (
    AwaitChange,
    AwaitCommand,
    AwaitUnit,
    Boot,
    Check,
    ConnectPlug,
    DisconnectPlug,
    InstallSnap,
    Look,
    Plan,
    RebootGuest,
    RevertSnap,
    Settle,
    SnapRef,
    StartChange,
)
from harness.model.scenario import RebootHow, Timeouts
from harness.scenario.compile import compile_scenario
from harness.scenario.decode import load_scenarios

Plans = Callable[[str], tuple[Plan, ...]]
PlanOfSteps = Callable[[str], Plan]


def looks(plan: Plan) -> list[tuple[str, str]]:
    found = [step.action for step in plan.steps if isinstance(step.action, Look)]
    return [(look.reason, look.expects_core) for look in found]


def kinds(plan: Plan, after: str) -> list[str]:
    """The kinds of the actions from the step with that number on."""
    numbers = [step.number for step in plan.steps]
    return [type(step.action).__name__ for step in plan.steps[numbers.index(after) :]]


def test_the_start(plans: Plans, good: str) -> None:
    plan = plans(good)[0]
    ref = SnapRef("network-manager", "network-manager", "network-manager_default.snap", "default")
    given_up = ("snap.network-manager.networkmanager.service",)
    assert [step.action for step in plan.steps[:5]] == [
        Boot(),
        InstallSnap(SnapRef("core", "2.57.6", "core_2.57.6.snap")),
        InstallSnap(ref),
        ConnectPlug("network-manager:network-control", units=given_up),
        ConnectPlug("network-manager:nmcli", "network-manager:service", given_up),
    ]
    assert {step.span for step in plan.steps[:7]} == {None}
    assert plan.services == ("snap.network-manager.networkmanager", "snap.witness.report")
    assert [ref.file_name for ref in plan.snaps] == [
        "core_2.57.6.snap",
        "core_2.68.3.snap",
        "network-manager_default.snap",
        "witness_default.snap",
    ]


def test_every_boot_is_looked_at_when_settled_before_and_after_its_changes(plans: Plans, good: str) -> None:
    assert looks(plans(good)[0]) == [
        ("after the start", "2.57.6"),
        ("at the end of the start", "2.57.6"),
        ("at boot 2", "2.57.6"),
        ("at the end of boot 2", "2.68.3"),
        ("at boot 3", "2.68.3"),
        ("at the end of boot 3", "2.57.6"),
    ]


def test_a_boot_ends_settled(plans: Plans, good: str) -> None:
    plan = plans(good)[0]
    ends = [step for step in plan.steps if isinstance(step.action, Look) and step.action.boot_end]
    assert [step.timeout for step in ends] == [plan.timeouts.settle] * len(ends)
    assert all(step.title.endswith("once it has settled") for step in ends)
    assert plan.steps[plan.steps.index(ends[2]) + 1].action == RebootGuest(RebootHow.CLEAN)
    assert ends[-1] == plan.steps[-1]


def test_a_step_knows_its_line_and_its_time_out(plans: Plans, good: str) -> None:
    text = good + "timeouts: {boot: 10 s, step: 20 s, settle: 30 s, command: 40 s, run: 50 s}\n"
    by_title = {step.title: step for step in plans(text)[0].steps}
    assert plans(text)[0].timeouts == Timeouts(10, 20, 30, 40, 50)
    assert by_title["boot"].timeout == 10
    assert by_title["refresh core to 2.68.3"].timeout == 20
    assert by_title["look at the end of boot 2, once it has settled"].timeout == 30
    assert by_title["reboot (clean)"].timeout == 30, "a clean reboot has to shut down first"
    span = by_title["refresh core to 2.68.3"].span
    assert span is not None
    assert (span.line, span.column) == (7, 5)


def test_refresh_after_revert_forgets_the_reverted(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps(
        '  - refresh: {core: "2.68.3"}\n  - revert: core\n  - refresh: {core: "2.77.1"}\n  - revert: core'
    )
    assert looks(plan)[-1] == ("at the end of boot 2", "2.57.6")


def test_two_refreshes_are_reverted_one_by_one(plan_of_steps: PlanOfSteps) -> None:
    steps = '  - refresh: {core: "2.68.3"}\n  - refresh: {core: "2.77.1"}\n  - revert: core\n  - revert: core'
    cores = [core for reason, core in looks(plan_of_steps(steps))[3:]]
    assert cores == ["2.68.3", "2.77.1", "2.68.3", "2.57.6"]


def test_a_boot_in_which_core_went_and_came_back_has_no_twins_at_its_end(plans: Plans, good: str) -> None:
    wanting = good.replace("- policy-from-running-snapd", "- twin-agrees")
    there = wanting.replace("  - reboot: clean\n", "")
    boots = there.replace("  - revert: core", "  - revert: core\n  - reboot: clean")
    (plan,) = plans(boots)
    seen = [step.action for step in plan.steps if isinstance(step.action, Look)]
    ends = [(look.reason, look.twins) for look in seen if look.boot_end]
    assert ends[-3:] == [("at boot 2", True), ("at the end of boot 2", False), ("at boot 3", True)]


def test_a_service_snap_has_revisions_of_its_own(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps("  - refresh: {network-manager: bullseye}\n  - revert: network-manager")
    refs = [s.action.ref for s in plan.steps if isinstance(s.action, InstallSnap) and s.action.refresh]
    assert refs == [
        SnapRef("network-manager", "network-manager", "network-manager_bullseye.snap", "bullseye")
    ]
    assert refs[0] in plan.snaps
    assert looks(plan)[-1][1] == "2.57.6"


def test_an_install_connects_and_looks(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps("  - install: bluez")
    assert kinds(plan, "12") == ["InstallSnap", "ConnectPlug", "Look", "Look"]
    assert "snap.bluez.bluez" in plan.services


def test_connections_between_snaps_wait_for_both(plans: Plans, good: str) -> None:
    text = good.replace("witness]\n", 'witness]\n  connections: ["network-manager:x witness:y"]\n')
    titles = [step.title for step in plans(text)[0].steps]
    assert titles.index("connect network-manager:x witness:y") > titles.index("install witness")


def test_connect_and_disconnect(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps('  - connect: "witness:a network-manager:b"\n  - disconnect: "witness:a"')
    actions = [step.action for step in plan.steps]
    at = actions.index(ConnectPlug("witness:a", "network-manager:b"))
    assert isinstance(actions[at + 1], Look)
    assert actions[at + 2] == DisconnectPlug("witness:a")
    assert isinstance(actions[at + 3], Look)


def test_waits(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps(
        "  - wait: settled\n  - wait: {until: 'true', within: 3 s}\n"
        "  - wait: {unit: snap.witness.report.service, state: failed}"
    )
    waits = [(step.action, step.timeout) for step in plan.steps if step.span]
    assert waits == [
        (Settle(), Timeouts().settle),
        (AwaitCommand("true"), 3),
        (AwaitUnit("snap.witness.report.service", "failed"), Timeouts().step),
    ]


def test_during_without_a_reboot(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps('  - during: {refresh: {core: "2.68.3"}}\n    do: [run: ls, connect: "witness:a"]')
    during = [step for step in plan.steps if step.number.startswith("12")]
    assert [step.number for step in during] == ["12", "12.1", "12.2", "12.3"]
    assert isinstance(during[0].action, StartChange)
    assert isinstance(during[-1].action, AwaitChange)
    assert kinds(plan, "13") == ["Look", "Look"], "no look while the change is under way"


def test_during_with_a_reset(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps(
        '  - refresh: {core: "2.68.3"}\n  - during: {revert: core}\n    do: [run: sync, reboot: reset]'
    )
    begun = next(step for step in plan.steps if step.number == "14")
    assert begun.action == StartChange(RevertSnap("core"))
    assert kinds(plan, "14.2") == ["RebootGuest", "AwaitChange", "Look"]
    assert looks(plan)[-2:] == [("after refresh core to 2.68.3", "2.68.3"), ("at boot 3", "2.57.6")]


def test_an_install_during_which_something_happens_connects_afterwards(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps("  - during: {install: bluez}\n    do: [run: ls]")
    assert kinds(plan, "12") == [
        "StartChange", "RunCommand", "AwaitChange", "ConnectPlug", "Look", "Look",
    ]  # fmt: skip


def test_the_first_core_with_a_need_chooses_the_variant(plans: Plans, good: str) -> None:
    text = good.replace("trixie-snapd-2.57.6", "trixie-snapd-2.49").replace('core: "2.68.3"', 'core: "2.49"')
    variants = {ref.snap: ref.variant for ref in plans(text)[0].snaps}
    assert variants == {"core": "", "network-manager": "bullseye", "witness": "default"}


def test_checks_are_read_once_their_snap_is_there(plans: Plans, good: str) -> None:
    text = good.replace("  - revert: core", "  - install: bluez").replace(
        "  - policy-from-running-snapd", "  - bluetooth-managed\n  - network-managed"
    )
    ends = [s.action for s in plans(text)[0].steps if isinstance(s.action, Look) and s.action.boot_end]
    network = Check("network-managed", {"interface": "eth1"})
    assert [end.checks for end in ends] == [()] + [(network,)] * 3 + [
        (Check("bluetooth-managed", {}), network)
    ]


def test_what_no_snap_of_the_scenario_provides_is_always_checked(plans: Plans, good: str) -> None:
    text = good.replace("network-manager, ", "").replace("- policy-from-running-snapd", "- network-managed")
    ends = [s.action for s in plans(text)[0].steps if isinstance(s.action, Look) and s.action.boot_end]
    assert all(end.checks == (Check("network-managed", {"interface": "eth1"}),) for end in ends[1:])


def test_parameters_are_complete(plans: Plans, good: str) -> None:
    text = good + "  - units-healthy: {units: [ssh.service]}\n  - console-clean: {}\n  - bluetooth-managed:\n"
    parameters = {each.name: each.parameters for each in plans(text)[0].invariants}
    assert parameters == {
        "policy-from-running-snapd": {"services": (), "strict": ()},
        "units-healthy": {"units": ("ssh.service",)},
        "console-clean": {"allow": ()},
        "bluetooth-managed": {},
    }


def test_replicas_are_marked(plans: Plans, good: str) -> None:
    plan = plans(good.replace('core: "2.68.3"', "core: mytree"))[0]
    assert [ref.entry for ref in plan.snaps if ref.replica] == ["mytree"]


def test_a_plan_survives_json(plans: Plans, good: str) -> None:
    control = "violates: policy-from-running-snapd, author: '2.68.3', class: stale, evidence: died"
    text = f"{good}control: {{{control}}}\n"
    plan = plans(text)[0]
    assert [each.evidence for each in plan.controls] == ["died"]
    assert codec.loads(Plan, codec.dumps(plan)) == plan


def test_both_doors_give_the_same(tmp_path: Path, catalogue: Catalogue, plans: Plans, good: str) -> None:
    (tmp_path / "s.yaml").write_text(good)
    by_hand = [compile_scenario(each, catalogue) for each in load_scenarios(tmp_path / "s.yaml")]
    assert tuple(by_hand) == plans(good)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("scenarios/core-revert/a.yaml", "core-revert/a"),
        ("scenarios/scenarios/b.yaml", "b"),
        ("elsewhere/2.57.6.yaml", "2.57.6"),
        ("scenarios.yaml", "scenarios"),
    ],
)
def test_names(tmp_path: Path, good: str, path: str, name: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(good)
    assert load_scenarios(file)[0].name == name
