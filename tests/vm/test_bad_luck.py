# SPDX-License-Identifier: GPL-3.0-only
"""Guests that panic, never answer or go silent: the step, the cause and the console are named, exit 3."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engine import run_plan
from harness.judge import judge_directory
from harness.model.event import RunFailed
from harness.model.plan import Boot, Plan, RunCommand
from harness.record import read_timeline
from tests.vm.conftest import MakeLab, plan_of, qemus_of

pytestmark = pytest.mark.vm

BOOT = (Boot(), 180.0)


def failure_of(plan: Plan, make_lab: MakeLab, **options: str) -> tuple[RunFailed, Path]:
    """Run a plan that cannot be measured; everything must be told, and nothing left running."""
    run = run_plan(plan, make_lab(**options), print)
    verdict = judge_directory(run)
    assert verdict.exit_code == 3
    assert verdict.error
    assert qemus_of(run) == []
    failure = read_timeline(run).failure
    assert failure is not None
    return failure, run


def test_a_panic_at_boot_is_named_long_before_the_time_out(make_lab: MakeLab) -> None:
    failure, _ = failure_of(plan_of(BOOT), make_lab, append="rdinit=/nowhere")
    assert failure.number == "1"
    assert "panic" in failure.message
    assert "console| " in failure.message


def test_a_guest_without_ssh_says_what_was_waited_for(make_lab: MakeLab) -> None:
    plan = plan_of((Boot(), 6.0))
    failure, _ = failure_of(plan, make_lab, append="systemd.unit=sysinit.target")
    assert failure.number == "1"
    assert "accept ssh connections" in failure.message
    assert "console| " in failure.message


def test_ssh_that_dies_in_mid_command_never_runs_it_twice(make_lab: MakeLab) -> None:
    command = "echo once >> /root/ran; sync; systemctl kill -s KILL revert-safety-sshd.service; sleep 100"
    failure, _ = failure_of(plan_of(BOOT, (RunCommand(command), 60.0)), make_lab)
    assert failure.number == "2"
    assert "echo once" in failure.message


def test_a_panic_in_mid_command_is_the_cause_not_a_time_out(make_lab: MakeLab) -> None:
    failure, _ = failure_of(plan_of(BOOT, (RunCommand("echo c > /proc/sysrq-trigger"), 60.0)), make_lab)
    assert failure.number == "2"
    assert "the guest's kernel panicked" in failure.message


def test_a_guest_that_resets_itself_is_not_mistaken_for_a_reboot_step(make_lab: MakeLab) -> None:
    failure, _ = failure_of(plan_of(BOOT, (RunCommand("reboot -f; sleep 100"), 120.0)), make_lab)
    assert failure.number == "2"
    assert "no step asked" in failure.message
