# SPDX-License-Identifier: GPL-3.0-only
"""At each boot's end, compiling each service's seccomp source again gives the filter that lies beside it.

Independent of who made what: it finds a filter that its own snapd left behind when the source changed, or
never compiled (snapd 2.39 and later compile only sources that have changed).
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.invariant.checks import judge_check
from harness.model.timeline import Timeline
from harness.model.verdict import Finding

NAME = "filters-match-source"


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Judge all services of snaps at each planned boot end."""
    return judge_check(timeline, parameters, NAME, NAME, "seccomp")
