# SPDX-License-Identifier: GPL-3.0-only
"""A real guest that is cut off, killed and made to panic, and in which things go wrong and are well again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.engine import run_plan
from harness.judge import judge_directory
from harness.model.event import FaultEnded
from harness.model.fault import (
    Direction,
    Dying,
    Failing,
    Fault,
    Frozen,
    FullDisk,
    IoErrors,
    Killed,
    LinkDown,
    Slow,
    SlowDisk,
)
from harness.model.plan import Action, AwaitPoint, BeginFault, Boot, EndFault, Plan, RebootGuest, RunCommand
from harness.model.point import Point, ProgramExecuted, TimePassed, UnitReady
from harness.model.scenario import RebootHow
from harness.record import read_timeline
from tests.vm.conftest import MakeLab, plan_of

pytestmark = pytest.mark.vm

BOOT: tuple[Action, float] = (Boot(), 180.0)
PARSER = "apparmor_parser"


def run(*lines: str) -> tuple[Action, float]:
    """Commands of which each must succeed; a failed run says which did not."""
    return RunCommand("\n".join(["set -ex", *lines])), 120.0


def reboot(how: RebootHow) -> tuple[Action, float]:
    return RebootGuest(how), 240.0


def wait(point: Point, seconds: float = 60.0) -> tuple[Action, float]:
    return AwaitPoint(point), seconds


def with_fault(number: int, fault: Fault, *steps: tuple[Action, float]) -> list[tuple[Action, float]]:
    return [(BeginFault(number, fault), 60.0), *steps, (EndFault(number), 60.0)]


def allowing(plan: Plan, *troubles: str) -> Plan:
    (console,) = plan.invariants
    return replace(plan, invariants=(replace(console, parameters={"allow": troubles}),))


# Nothing else is to write: what is still starting would, and snapd whenever it writes its state.
QUIET = ("systemctl is-system-running --wait >/dev/null || true", "systemctl stop snapd.socket snapd.service")
# A direct write reaches the disk at once and is not flushed.
WRITE = "tr '\\0' {} </dev/zero | dd of=/root/block bs=4k count=1 iflag=fullblock conv=notrunc {} status=none"
ENDS = plan_of(
    BOOT,
    run(*QUIET),
    run(WRITE.format("o", "conv=fsync"), "date +%s >/root/then", "sync"),
    run("mount -o remount,commit=300 /", "sync"),
    run(WRITE.format("n", "oflag=direct"), "echo lost >/root/lost"),
    reboot(RebootHow.POWER_CUT),
    run(
        'test "$(head -c 1 /root/block)" = o',
        "test ! -e /root/lost",
        'test "$(date +%s)" -ge "$(cat /root/then)"',
        "echo kept >/root/kept; date +%s >/root/then; sync",
    ),
    reboot(RebootHow.KILL),
    run('test "$(cat /root/kept)" = kept', 'test "$(date +%s)" -ge "$(cat /root/then)"'),
    run("echo more >/root/more; sync"),
    reboot(RebootHow.PANIC),
    run('test "$(cat /root/more)" = more', "echo all >/root/all"),
    reboot(RebootHow.CLEAN),
    run('test "$(cat /root/all)" = all'),
)  # fmt: skip


def test_a_boot_ends_in_each_way_and_the_disk_has_what_it_then_has(make_lab: MakeLab) -> None:
    run_directory = run_plan(allowing(ENDS, "panic"), make_lab(), print)
    timeline = read_timeline(run_directory)
    assert timeline.failure is None
    assert [boot.ended for boot in timeline.boots] == [
        "the power was cut",
        "the host killed QEMU",
        "the host reset it",
        "the guest reset itself",
        "",
    ]
    assert [boot.number for boot in timeline.boots] == [1, 2, 3, 4, 5]
    assert len({boot.boot_id for boot in timeline.boots}) == 5
    verdict = judge_directory(run_directory)
    assert [finding.summary for finding in verdict.findings if finding.invariant == "record"] == []
    assert verdict.exit_code == 0


VERSION = f"{PARSER} --version >/dev/null"
TOOK = "test $(($(date +%s%N) - begun)) -{} {}000000"
CARRIER = 'test "$(cat /sys/class/net/eth1/carrier)" = {}'
LATER = "setsid sh -c 'sleep 2; {}' </dev/null >/dev/null 2>&1 &"
READ_100 = "dd if=/dev/vda of=/dev/null bs=4k count=100 iflag=direct status=none"
FROZEN = "grep -q '^frozen {}' /sys/fs/cgroup/system.slice/snapd.service/cgroup.events"
FAULTS = plan_of(
    BOOT,
    run(*QUIET),
    run("ip link set eth1 up", CARRIER.format(1)),
    *with_fault(1, LinkDown("eth1"), run(CARRIER.format(0))),
    run(CARRIER.format(1)),
    *with_fault(2, FullDisk(), run("! head -c 100000 /dev/zero >/root/more 2>/dev/null")),
    run("head -c 100000 /dev/zero >/root/more", "test ! -e /var/lib/revert-safety-full"),
    run("systemctl start snapd.service"),
    *with_fault(3, Frozen(), run(FROZEN.format(1))),
    run(FROZEN.format(0), "snap version"),
    *with_fault(4, Slow(PARSER, 3.0), run("begun=$(date +%s%N)", VERSION, TOOK.format("ge", 3000))),
    *with_fault(5, Failing(PARSER), run(f"! {VERSION} 2>/dev/null")),
    *with_fault(
        6,
        Dying(PARSER, "--version"),
        run("status=0", f"{VERSION} || status=$?", "test $status = 137", f"{PARSER} --help >/dev/null"),
    ),
    run(VERSION, "test -z \"$(find / -xdev -name '*revert-safety*' ! -path '/proc/*' 2>/dev/null)\""),
    run("test -z \"$(ls -d /run/revert-safety/fault-* 2>/dev/null)\""),
    run(LATER.format(VERSION)),
    wait(ProgramExecuted(PARSER)),
    # Where there are no snaps snapd soon leaves waiting to its socket (status 42).
    run("systemctl start snapd.service"),
    (BeginFault(7, Killed()), 60.0),
    wait(UnitReady("snapd.service")),
    wait(TimePassed(0.5)),
    *with_fault(
        8,
        SlowDisk(iops=40),
        run("begun=$(date +%s%N)", READ_100, TOOK.format("ge", 1500)),
    ),
    run("head -c 4096 /dev/zero >/root/block; sync"),
    *with_fault(9, IoErrors(Direction.WRITES), run(f"! {WRITE.format('x', 'oflag=direct')} 2>/dev/null")),
    reboot(RebootHow.RESET),
    run("touch /root/after; sync", "test \"$(head -c 1 /root/block | tr '\\0' o)\" = o"),
)  # fmt: skip


def test_things_go_wrong_and_are_well_again(make_lab: MakeLab) -> None:
    run_directory = run_plan(allowing(FAULTS, "disk-error", "filesystem-error"), make_lab(), print)
    timeline = read_timeline(run_directory)
    assert timeline.failure is None
    struck = [e.event.struck for e in timeline.events if isinstance(e.event, FaultEnded) and e.event.struck]
    assert struck == [1, 1, 1]
    assert len({boot.boot_id for boot in timeline.boots}) == 2
    verdict = judge_directory(run_directory)
    assert [finding.summary for finding in verdict.findings if finding.invariant == "record"] == []
    assert verdict.exit_code == 0
