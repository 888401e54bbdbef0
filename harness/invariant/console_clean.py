# SPDX-License-Identifier: GPL-3.0-only
"""No boot's console shows a kernel, memory, disk or file system in trouble."""

from __future__ import annotations

from collections.abc import Mapping

from harness.invariant.ends import CONSOLE, ends_of
from harness.model.console import troubles_in
from harness.model.timeline import BootRecord, ConsoleLine, Timeline
from harness.model.verdict import Evidence, Finding, Outcome

NAME = "console-clean"

_MOST_LINES = 5


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Judge every boot there was, and name the planned ones that never came; `allow` names what to accept."""
    allowed = frozenset(parameters.get("allow", ()))
    findings: list[Finding] = []
    for boot in timeline.boots:
        findings += _judge_boot(boot, allowed)
    there = {boot.number for boot in timeline.boots}
    never = sorted({end.boot for end in ends_of(timeline)} - there)
    findings += [
        _finding(boot, Outcome.UNPROVEN, "unseen", "console", "there was no such boot") for boot in never
    ]
    return tuple(findings)


def _judge_boot(boot: BootRecord, allowed: frozenset[str]) -> list[Finding]:
    if not boot.console:
        says = "its console said nothing, not even that a kernel started"
        return [_finding(boot.number, Outcome.UNPROVEN, "unseen", "console", says)]
    seen: dict[str, list[ConsoleLine]] = {}
    for line in boot.console:
        for trouble in troubles_in(line.text):
            seen.setdefault(trouble.name, []).append(line)
    bad = [_trouble(boot, name, lines) for name, lines in seen.items() if name not in allowed]
    return bad or [_clean(boot, sorted(seen))]


def _trouble(boot: BootRecord, name: str, lines: list[ConsoleLine]) -> Finding:
    evidence = tuple(Evidence(CONSOLE, line.line, line.text) for line in lines[:_MOST_LINES])
    times = f" ({len(lines)} lines)" if len(lines) > 1 else ""
    says = f"{lines[0].text.strip()}{times}"
    return _finding(boot.number, Outcome.VIOLATED, name, name, says, evidence)


def _clean(boot: BootRecord, accepted: list[str]) -> Finding:
    says = f"its console shows no trouble in {len(boot.console)} lines"
    if accepted:
        says += f" (accepted: {', '.join(accepted)})"
    first, last = boot.console[0].line, boot.console[-1].line
    evidence = (Evidence(CONSOLE, first, f"lines {first} to {last} are of boot {boot.number}"),)
    return _finding(boot.number, Outcome.HELD, "clean", "console", says, evidence)


def _finding(
    boot: int, outcome: Outcome, kind: str, subject: str, says: str, evidence: tuple[Evidence, ...] = ()
) -> Finding:
    return Finding(NAME, outcome, kind, subject, boot, f"boot {boot}: {says}", evidence=evidence)
