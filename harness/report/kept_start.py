# SPDX-License-Identifier: GPL-3.0-only
"""What is said of a start that a run repeated: which boots are of it, and what to do when one is in doubt."""

from __future__ import annotations

from harness.model.event import StartRepeated
from harness.model.timeline import Timeline
from harness.model.verdict import Outcome, Verdict
from harness.policy.builds import short


def boots_of_start(start: StartRepeated, timeline: Timeline) -> str:
    """``boot 1``, or ``boots 1 to 3``."""
    last = _last_boot(start, timeline)
    return f"boots 1 to {last}" if last > 1 else "boot 1"


def in_doubt(timeline: Timeline, verdict: Verdict) -> str:
    """That all runs which start alike have this, when it was found in a boot of the start; or an empty text.

    Where a machine was too slow for its guest's own time-outs, that is no fault of snapd's.
    """
    starts = (recorded.event for recorded in timeline.events if isinstance(recorded.event, StartRepeated))
    doubted = [found.boot for found in verdict.findings if found.boot > 0 and found.outcome != Outcome.HELD]
    return next(
        (
            f"Some of this is in the start of {start.made}, which every run that starts alike repeats"
            f" until starts/{short(start.key)}… is removed from the cache."
            for start in starts
            if any(boot <= _last_boot(start, timeline) for boot in doubted)
        ),
        "",
    )


def _last_boot(start: StartRepeated, timeline: Timeline) -> int:
    return start.boots or timeline.plan.boots_before
