# SPDX-License-Identifier: GPL-3.0-only
"""Invariants that rest on a check read in the guest at each boot's end."""

from __future__ import annotations

from collections.abc import Mapping

from harness.invariant.ends import EVENTS, End, ends_of
from harness.model.event import CheckRead
from harness.model.timeline import Timeline
from harness.model.verdict import Evidence, Finding, Outcome

Parameters = Mapping[str, tuple[str, ...]]


def judge_check(
    timeline: Timeline, parameters: Parameters, invariant: str, check: str, subject: str
) -> tuple[Finding, ...]:
    """One finding for each boot end at which the check is planned, from it and with these parameters."""
    ends = [end for end in ends_of(timeline) if any(one.name == check for one in end.planned.checks)]
    found = tuple(_judge_end(timeline, end, parameters, invariant, check, subject) for end in ends)
    return found or (_unplanned(invariant, check, subject),)


def _unplanned(invariant: str, check: str, subject: str) -> Finding:
    summary = f"no look of the plan reads {check}: what it is about was never installed at a boot's end"
    return Finding(invariant, Outcome.UNPROVEN, "unread", subject, 0, summary)


def _judge_end(
    timeline: Timeline, end: End, parameters: Parameters, invariant: str, check: str, subject: str
) -> Finding:
    reads = [
        (line, read)
        for boot in timeline.boots
        for line, read in boot.checks
        if read.number == end.step.number and read.check == check and _fits(read, parameters)
    ]
    if not reads:
        summary = f"boot {end.boot}: {check} was never read (step {end.step.number})"
        return Finding(invariant, Outcome.UNPROVEN, "unread", subject, end.boot, summary)
    line, read = min(
        reads, key=lambda pair: (pair[1].passed is not False, pair[1].passed is not None, pair[0])
    )
    outcome, kind = _class(read.passed)
    summary = f"boot {read.boot}: {read.seen or 'nothing was said'}"
    evidence = (Evidence(EVENTS, line, f"{check}: {read.seen}"),)
    return Finding(invariant, outcome, kind, subject, read.boot, summary, evidence=evidence)


def _fits(read: CheckRead, parameters: Parameters) -> bool:
    return all(read.parameters.get(name) in values for name, values in parameters.items())


def _class(passed: bool | None) -> tuple[Outcome, str]:
    match passed:
        case None:
            return Outcome.UNPROVEN, "unread"
        case True:
            return Outcome.HELD, "passed"
        case False:
            return Outcome.VIOLATED, "failed"
