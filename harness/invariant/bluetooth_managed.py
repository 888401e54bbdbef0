# SPDX-License-Identifier: GPL-3.0-only
"""At each boot's end, bluetoothd answers and has brought up the kernel's Bluetooth management interface."""

from __future__ import annotations

from collections.abc import Mapping

from harness.invariant.checks import judge_check
from harness.model.timeline import Timeline
from harness.model.verdict import Finding

NAME = "bluetooth-managed"


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Judge bluetoothd at each planned boot end."""
    return judge_check(timeline, parameters, NAME, NAME, "bluetoothd")
