# SPDX-License-Identifier: GPL-3.0-only
"""At each boot's end, NetworkManager manages an interface and has it connected."""

from __future__ import annotations

from collections.abc import Mapping

from harness.invariant.checks import judge_check
from harness.model.timeline import Timeline
from harness.model.verdict import Finding

NAME = "network-managed"


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Judge the interface in `interface` at each planned boot end."""
    subject = ", ".join(parameters.get("interface", ())) or "network"
    return judge_check(timeline, parameters, NAME, NAME, subject)
