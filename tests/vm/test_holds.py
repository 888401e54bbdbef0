# SPDX-License-Identifier: GPL-3.0-only
"""Held units in a real guest: kept from starting from before they could, released, and gone with the boot."""

from __future__ import annotations

import pytest

from harness.engine import run_plan
from harness.judge import judge_directory
from harness.model.plan import (
    AwaitReady,
    AwaitUnit,
    Boot,
    HoldUnit,
    RebootGuest,
    ReleaseUnit,
    RunCommand,
)
from harness.model.scenario import RebootHow
from harness.policy.holds import periods
from harness.record import read_timeline
from tests.vm.conftest import MakeLab, plan_of

pytestmark = pytest.mark.vm

# One that everything waits for, sshd too, and one that is wanted late; the last ends by itself.
EARLY = HoldUnit(1, "snapd.apparmor.service")
LATE = HoldUnit(2, "snapd.service")
TIMED = HoldUnit(3, "systemd-logind.service", until="test -e /run/may-log-in")
NOT_YET = f"""
set -e
systemctl list-jobs --no-legend | grep -q ' {LATE.unit} .* waiting'
systemctl list-jobs --no-legend | grep -q ' {TIMED.unit} .* waiting'
test "$(systemctl show -P ActiveState {LATE.unit} {TIMED.unit} | sort -u | grep .)" = inactive
touch /run/may-log-in
"""
# A start that nothing holds comes back at once.
NO_TRACE = f"""
set -e
systemctl start {LATE.unit} {TIMED.unit}
test -z "$(systemctl list-units --all --no-legend 'revert-safety-hold-*')"
test -z "$(find /etc /run /var/lib /usr/lib/systemd -name '*revert-safety-hold*')"
test ! -e /run/revert-safety/holds
"""
PLAN = plan_of(
    (Boot(), 180.0),
    (HoldUnit(EARLY.number, EARLY.unit), 60.0),
    (LATE, 60.0),
    (TIMED, 60.0),
    (RebootGuest(RebootHow.RESET, held=True), 240.0),
    (ReleaseUnit(EARLY.number, EARLY.unit), 60.0),
    (AwaitReady(), 240.0),
    (RunCommand(NOT_YET), 60.0),
    (AwaitUnit(TIMED.unit, "active"), 60.0),
    (ReleaseUnit(LATE.number, LATE.unit), 60.0),
    (AwaitUnit(LATE.unit, "active"), 60.0),
    (RebootGuest(RebootHow.RESET), 240.0),
    (RunCommand(NO_TRACE), 60.0),
)


def test_units_are_held_until_each_hold_ends_and_nothing_is_left(make_lab: MakeLab) -> None:
    run = run_plan(PLAN, make_lab(), print)
    timeline = read_timeline(run)
    assert timeline.failure is None
    verdict = judge_directory(run)
    assert [finding.summary for finding in verdict.findings if finding.invariant == "record"] == []
    before, held, after = timeline.boots
    assert (periods(before), periods(after)) == ((), ())
    ends = {period.hold: period.until for period in periods(held)}
    assert [ends[hold.number] for hold in (EARLY, TIMED, LATE)] == sorted(filter(None, ends.values()))
