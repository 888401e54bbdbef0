# SPDX-License-Identifier: GPL-3.0-only
"""Points and faults: what a scenario with them becomes, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.model.fault import Direction, Dying, Frozen, FullDisk, IoErrors, Killed, LinkDown, Slow, SlowDisk
from harness.model.plan import (
    AwaitPoint,
    AwaitReady,
    BeginFault,
    EndFault,
    Look,
    Plan,
    RebootGuest,
    RunCommand,
    StartChange,
)
from harness.model.point import FileWritten, ProgramExecuted, TimePassed, UnitReady
from harness.model.scenario import MachineOptions, RebootHow, Timeouts

PlanOfSteps = Callable[[str], Plan]
FIRST = "12"  # the number of a scenario's first own step


def after(plan: Plan, number: str = FIRST) -> list[object]:
    """The actions from that step on, looks by the reason alone."""
    at = next(place for place, step in enumerate(plan.steps) if step.number == number)
    actions = (step.action for step in plan.steps[at:])
    return [action.reason if isinstance(action, Look) else action for action in actions]


@pytest.mark.parametrize(
    ("point", "means"),
    [
        ('{write: "/var/lib/snapd/system-key"}', FileWritten("/var/lib/snapd/system-key")),
        ('{write: "/var/lib/snapd/*.src"}', FileWritten("/var/lib/snapd/*.src")),
        ("{ready: snapd}", UnitReady("snapd.service")),
        ("{ready: snap.witness.report.service}", UnitReady("snap.witness.report.service")),
        ("{exec: snap-seccomp}", ProgramExecuted("snap-seccomp")),
        ("{after: 1500 ms}", TimePassed(1.5)),
    ],
)
def test_a_point(plan_of_steps: PlanOfSteps, point: str, means: object) -> None:
    plan = plan_of_steps(f"  - when: {point}\n    within: 7 s\n  - when: {point}\n  - run: ls")
    first, second, *_ = plan.steps[10:]
    assert (first.action, first.timeout) == (AwaitPoint(means), 7.0)  # type: ignore[arg-type]
    assert second.timeout == Timeouts().step
    assert plan.points == (means, means)


def test_a_boot_that_begins_with_points_is_looked_at_after_what_follows_them(
    plan_of_steps: PlanOfSteps,
) -> None:
    steps = "  - reboot: kill\n  - when: {exec: snapd}\n  - when: {ready: snapd}\n  - run: ls"
    assert after(plan_of_steps(steps)) == [
        RebootGuest(RebootHow.KILL, held=True),
        AwaitPoint(ProgramExecuted("snapd")),
        AwaitPoint(UnitReady("snapd.service")),
        AwaitReady(),
        RunCommand("ls"),
        "at boot 3",
    ]


@pytest.mark.parametrize("how", ["kill", "power-cut", "panic", "reset"])
def test_a_boot_that_is_cut_at_a_point_needs_to_take_no_commands_and_is_not_judged(
    plan_of_steps: PlanOfSteps, how: str
) -> None:
    steps = f"  - reboot: reset\n  - when: {{ready: snapd}}\n  - reboot: {how}"
    assert after(plan_of_steps(steps)) == [
        RebootGuest(RebootHow.RESET, held=True),
        AwaitPoint(UnitReady("snapd.service")),
        RebootGuest(RebootHow(how)),
        "at boot 4",
    ]


def test_the_look_after_points_comes_once_also_in_a_block(plan_of_steps: PlanOfSteps) -> None:
    steps = (
        "  - reboot: reset\n  - when: {ready: snapd}\n"
        "  - fault: full-disk\n    do: [run: a, run: b]\n  - run: c"
    )
    looks = [action for action in after(plan_of_steps(steps)) if isinstance(action, str)]
    assert looks == ["at boot 3", "at the end of boot 3"]


def test_a_clean_reboot_at_a_point_needs_commands(plan_of_steps: PlanOfSteps) -> None:
    steps = "  - reboot: reset\n  - when: {ready: snapd}\n  - reboot: clean"
    assert after(plan_of_steps(steps))[2:4] == [AwaitReady(), RebootGuest(RebootHow.CLEAN)]


def test_a_point_of_the_boot_after_a_change_that_was_cut_short(plan_of_steps: PlanOfSteps) -> None:
    steps = "  - during: {remove: witness}\n    do: [reboot: kill]\n  - when: {ready: snapd}\n  - run: ls"
    begun, reboot, _, point, *rest = after(plan_of_steps(steps))
    assert isinstance(begun, StartChange)
    assert (reboot, point) == (RebootGuest(RebootHow.KILL, held=True), AwaitPoint(UnitReady("snapd.service")))
    assert rest == [AwaitReady(), RunCommand("ls"), "at boot 3"]


def test_a_fault_lasts_for_its_block(plan_of_steps: PlanOfSteps) -> None:
    steps = "  - fault: {slow-disk: {iops: 40}}\n    do: [reboot: clean, remove: witness]\n  - run: ls"
    plan = plan_of_steps(steps)
    assert after(plan)[0] == BeginFault(1, SlowDisk(iops=40))
    assert after(plan)[-4:] == [
        "after remove witness",
        EndFault(1),
        RunCommand("ls"),
        "at the end of boot 3",
    ]
    numbers = [step.number for step in plan.steps[11:]]
    assert numbers[:3] == ["12", "12.1", "12.2"]
    assert "13" in numbers
    assert plan.faults == (SlowDisk(iops=40),)


@pytest.mark.parametrize(
    ("fault", "means"),
    [
        ("full-disk", FullDisk()),
        ("{slow-disk: {bps: 2 MiB}}", SlowDisk(bps=2 << 20)),
        ("{io-errors: writes}", IoErrors(Direction.WRITES)),
        ("{link-down: eth1}", LinkDown("eth1")),
        ("{frozen: snapd}", Frozen()),
        ("{slow: {program: snap-seccomp, by: 5 s}}", Slow("snap-seccomp", 5.0)),
        ("{dying: apparmor_parser}", Dying("apparmor_parser")),
        ("{dying: {program: snap-seccomp, given: compile}}", Dying("snap-seccomp", "compile")),
    ],
)
def test_a_fault(plan_of_steps: PlanOfSteps, fault: str, means: object) -> None:
    assert after(plan_of_steps(f"  - fault: {fault}\n    do: [run: ls]"))[:3] == [
        BeginFault(1, means), RunCommand("ls"), EndFault(1)  # type: ignore[arg-type]
    ]  # fmt: skip


def test_a_momentary_fault_has_no_end(plan_of_steps: PlanOfSteps) -> None:
    assert after(plan_of_steps("  - fault: {killed: snapd}\n  - run: ls"))[:2] == [
        BeginFault(1, Killed()), RunCommand("ls")
    ]  # fmt: skip


def test_a_guest_with_snapd_frozen_is_not_looked_at(plan_of_steps: PlanOfSteps) -> None:
    steps = "  - fault: {frozen: snapd}\n    do: [run: ls, reboot: reset, run: ls]"
    assert after(plan_of_steps(steps)) == [
        BeginFault(1, Frozen()),
        RunCommand("ls"),
        RebootGuest(RebootHow.RESET),
        "at boot 3",
        RunCommand("ls"),
        EndFault(1),
        "at the end of boot 3",
    ]


def test_a_fault_around_a_reboot_during_a_change(plan_of_steps: PlanOfSteps) -> None:
    steps = "  - during: {remove: witness}\n    do:\n      - fault: full-disk\n        do: [reboot: reset]"
    kinds = [type(action).__name__ for action in after(plan_of_steps(steps))]
    assert kinds == ["StartChange", "BeginFault", "RebootGuest", "EndFault", "AwaitChange", "str"]


def test_a_disk_that_is_full_is_emptied_by_a_command(plan_of_steps: PlanOfSteps) -> None:
    steps = (
        "  - fault: full-disk\n    do: [reboot: reset]\n  - when: {ready: snapd}\n"
        "  - fault: {link-down: eth1}\n    do: [reboot: reset]\n  - when: {ready: snapd}"
    )
    actions = after(plan_of_steps(steps))
    assert actions[actions.index(EndFault(1)) - 1] == AwaitReady()
    assert actions[actions.index(EndFault(2)) - 1] == RebootGuest(RebootHow.RESET, held=True)


def test_the_machine_is_the_plans_and_not_the_starts(
    good: str, plans: Callable[[str], tuple[Plan, ...]]
) -> None:
    (plain,) = plans(good)
    (small,) = plans(f"{good}machine: {{cpus: 1, memory: 512 MiB, clock-back: 30 days}}\n")
    assert small.machine == MachineOptions(1, 512, 30 * 86400.0)
    assert (plain.machine, plain.start) == (MachineOptions(), small.start)


STEPS = [
    ("  - when: snapd", 7, 11, "'when' is 'snapd'; expected {write: GLOB}, {ready: UNIT}, {exec: PROGRAM}"),
    ("  - when: {}", 7, 11, "'when' is an empty mapping; expected {write: GLOB}"),
    ("  - when: {writes: /x}", 7, 12, "unknown key in when 'writes'; expected one of after, exec, ready"),
    ("  - when: {writes: /x}", 7, 12, "did you mean write?"),
    ("  - when: {ready: snapd, exec: snapd}", 7, 26, "'when' has 'ready' and 'exec'; expected one of them"),
    ("  - when: {write: x}", 7, 19, "'write' is 'x'; expected a glob of absolute paths"),
    ("  - when: {write: /etc/*}", 7, 19, "no file that '/etc/*' matches is watched, so this point would"),
    ("  - when: {write: /var/lib/snapd/state.json}", 7, 19, "this point would never be reached; expect"),
    ("  - when: {exec: snap-secomp}", 7, 18, "unknown program that is watched 'snap-secomp'; expected one"),
    ("  - when: {exec: snap-secomp}", 7, 18, "did you mean snap-seccomp?"),
    ("  - when: {ready: ssh.service}", 7, 19, "expected 'snapd', or a unit of snapd's or a snap's"),
    ("  - when: {ready: snap.witness.reprt.service}", 7, 5, "did you mean snap.witness.report.service?"),
    ("  - when: {after: 3}", 7, 19, "'3' has no unit"),
    ("  - fault: full-dsk\n    do: [run: ls]", 7, 12, "unknown fault 'full-dsk'; expected one of dying"),
    ("  - fault: full-dsk\n    do: [run: ls]", 7, 12, "did you mean full-disk?"),
    ("  - fault: frozen\n    do: [run: ls]", 7, 12, "'fault' is 'frozen', which needs more; expected {froz"),
    ("  - fault: {}\n    do: [run: ls]", 7, 12, "'fault' is a mapping; expected one of full-disk, slow-disk"),
    ("  - fault: {frzen: snapd}\n    do: [run: ls]", 7, 13, "unknown fault 'frzen'; expected one of"),
    ("  - fault: {frozen: snap}\n    do: [run: ls]", 7, 21, "unknown what can be stopped 'snap'"),
    ("  - fault: {frozen: snapd, link-down: eth1}\n    do: [run: ls]", 7, 28, "has 2 faults; expected one,"),
    ("  - fault: {slow-disk: {}}\n    do: [run: ls]", 7, 24, "'slow-disk' sets no bound; expected iops, bps"),
    ("  - fault: {slow-disk: {iops: 0}}\n    do: [run: ls]", 7, 31, "expected a whole number from 1 to"),
    ("  - fault: {slow-disk: {bps: 5}}\n    do: [run: ls]", 7, 30, "expected a size from 512 KiB to 1024 G"),
    ("  - fault: {link-down: eth0}\n    do: [run: ls]", 7, 24, "unknown interface that can be unplugged 'e"),
    ("  - fault: {io-errors: all}\n    do: [run: ls]", 7, 24, "unknown direction 'all'; expected one of re"),
    ("  - fault: {slow: snap-seccomp}\n    do: [run: ls]", 7, 19, "expected a mapping with program, by"),
    ("  - fault: {failing: snapd}\n    do: [run: ls]", 7, 22, "unknown policy compiler 'snapd'; expected"),
    ("  - fault: full-disk", 7, 5, "a full disk: nothing is said to be done meanwhile; expected 'do' with"),
    ("  - fault: full-disk\n    do: []", 8, 9, "'do' is empty; expected at least one item"),
    (
        "  - fault: {killed: snapd}\n    do: [run: ls]",
        7,
        5,
        "snapd killed: that is over at once, so nothing is done meanwhile; leave 'do' out",
    ),
    (
        "  - fault: {frozen: snapd}\n    do: [remove: witness]",
        8,
        10,
        "snapd is frozen here, so this change would never be done; put it after the block",
    ),
    (
        "  - fault: {frozen: snapd}\n    do:\n      - during: {remove: witness}\n        do: [run: ls]",
        9,
        9,
        "snapd is frozen here, so this change would never be done",
    ),
    (
        "  - fault: {frozen: snapd}\n    do:\n      - fault: {killed: snapd}",
        9,
        9,
        "snapd killed: there is snapd frozen here already, since s.yaml:7:5; end that block before",
    ),
    (
        "  - fault: {failing: snap-seccomp}\n    do:\n      - {fault: {dying: snap-seccomp}, do: [run: a]}",
        9,
        10,
        "snap-seccomp dying: there is snap-seccomp failing here already, since s.yaml:7:5",
    ),
    (
        "  - fault: full-disk\n    do:\n      - fault: full-disk\n        do: [run: ls]",
        9,
        9,
        "a full disk: there is a full disk here already, since s.yaml:7:5",
    ),
    (
        "  - hold: snapd.service\n  - fault: {frozen: snapd}\n    do: [run: ls]\n  - release: snapd.service",
        8,
        5,
        "snapd frozen: snapd is held here, so it does not run; write 'release: snapd.service' before",
    ),
    (
        "  - during: {remove: witness}\n    do: [{fault: full-disk, do: [reboot: kill]}, run: ls]",
        8,
        50,
        "a reboot ends what is waited for, so no step can follow it in 'do'",
    ),
    (
        "  - during: {remove: witness}\n    do:\n      - fault: full-disk\n        do: [remove: witness]",
        10,
        14,
        "'witness' already has a change under way here",
    ),
    (
        "  - fault: full-disk\n    do: [refresh: {core: nope}]",
        8,
        10,
        "unknown core 'nope'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "line", "column", "says"), STEPS)
def test_a_mistake(
    good: str, mistakes: Callable[[str], list[str]], steps: str, line: int, column: int, says: str
) -> None:
    head, _, rest = good.partition("steps:\n")
    told = mistakes(f"{head}steps:\n{steps}\nhold:{rest.partition('hold:')[2]}")
    assert any(each.startswith(f"s.yaml:{line}:{column}: ") and says in each for each in told), told


@pytest.mark.parametrize(
    ("machine", "column", "says"),
    [
        (
            "{cpu: 1}",
            11,
            "unknown key in 'machine' 'cpu'; expected one of clock-back, cpus, memory; did you mean",
        ),
        ("{cpus: 0}", 17, "'cpus' is '0'; expected a whole number from 1 to 16"),
        ("{memory: 512}", 19, "expected a size from 384 MiB to 16 GiB, with its unit (KiB, MiB, GiB)"),
        ("{memory: 1 MiB}", 19, "expected a size from 384 MiB"),
        ("{clock-back: 30}", 23, "'clock-back' is '30'; expected 1 to 3650 days, such as 30 days"),
    ],
)
def test_a_mistake_about_the_machine(
    good: str, mistakes: Callable[[str], list[str]], machine: str, column: int, says: str
) -> None:
    (told,) = mistakes(f"{good}machine: {machine}\n")
    assert told.startswith(f"s.yaml:12:{column}: ")
    assert says in told


def test_cpus_that_are_set_are_not_perturbed(good: str, mistakes: Callable[[str], list[str]]) -> None:
    (told,) = mistakes(f"{good}machine: {{cpus: 1}}\nrepeat: 3\n")
    assert told.startswith(
        "s.yaml:13:9: 'repeat' perturbs the number of CPUs, which 'machine' sets; leave 'cpus'"
    )


def test_a_frozen_snapd_can_have_its_change_cut_short(plan_of_steps: PlanOfSteps) -> None:
    plan = plan_of_steps(
        "  - fault: {frozen: snapd}\n    do:\n      - during: {remove: witness}\n        do: [reboot: reset]"
    )
    assert EndFault(1) in after(plan)
