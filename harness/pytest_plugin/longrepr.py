# SPDX-License-Identifier: GPL-3.0-only
"""What pytest prints of an item that did not pass, and what JUnit carries of every item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import HarnessError, RecordUnusable
from harness.model.plan import Plan
from harness.model.spans import Span
from harness.model.verdict import Finding, Outcome, Verdict
from harness.record import read_timeline
from harness.results import Came, RunResult, came_of, came_of_error


class Disproved(Exception):
    """It was measured, and did not come out as it must."""

    def __init__(self, result: RunResult) -> None:
        super().__init__(result.plan.title)
        self.result = result


def properties(result: RunResult | HarnessError) -> list[tuple[str, object]]:
    """JUnit's properties of an item: `outcome`, `exit_code` and, when there is one, `run_directory`.

    For a control they say what was measured, and `control` whether that is what it must be.
    """
    if isinstance(result, HarnessError):
        return _outcome(came_of_error(result))
    told = [*_outcome(came_of(result.verdict)), ("run_directory", str(result.directory))]
    if result.verdict.control is not None:
        told.append(("control", "as expected" if result.verdict.control.as_expected else "not as expected"))
    return told


def _outcome(came: Came) -> list[tuple[str, object]]:
    return [("outcome", came.value), ("exit_code", str(came.exit_code))]


def not_measured(plan: Plan, result: RunResult | HarnessError) -> str:
    """The text of an item that could not be measured; its first line is JUnit's and the summary's."""
    if isinstance(result, HarnessError):
        return f"{came_of_error(result).name}: {result}"
    lines = _failed_step(plan, result.directory)
    return "\n".join([f"ERROR: {result.verdict.error}", *lines, f"run directory: {result.directory}"])


def _failed_step(plan: Plan, directory: Path) -> Iterator[str]:
    """The step that the run ended in, with its place in the scenario."""
    try:
        failure = read_timeline(directory).failure
    except RecordUnusable as error:
        yield f"  {error}"
        return
    for step in plan.steps:
        if failure is not None and step.number == failure.number:
            yield f"  {step.span or plan.file}: in step {step.number}, {step.title}"


def disproved(result: RunResult) -> str:
    """The text of an item that did not come out as it must; its first line is JUnit's and the summary's."""
    wrong = [each for each in result.verdict.findings if each.outcome is not Outcome.HELD]
    lines = [line for finding in wrong for line in _finding(finding, result.plan)]
    return "\n".join([_heading(result.verdict), *lines, f"run directory: {result.directory}"])


def _heading(verdict: Verdict) -> str:
    if verdict.control is not None:
        missing = "; ".join(verdict.control.missing)
        return f"CONTROL FAILED: the harness cannot see: the control came out {verdict.outcome}: {missing}"
    worst = [finding.summary for finding in verdict.findings if finding.outcome is verdict.outcome]
    return f"{verdict.outcome}: {worst[0] if worst else 'nothing was proven'}"


def _finding(finding: Finding, plan: Plan) -> Iterator[str]:
    where = f"boot {finding.boot}: " if finding.boot else ""
    yield f"  {_place(finding, plan)}: {finding.invariant}: {finding.outcome}: {where}{finding.summary}"
    for evidence in finding.evidence:
        yield f"      {evidence.file}:{evidence.line}: {evidence.says}"


def _place(finding: Finding, plan: Plan) -> Span | str:
    """Where the scenario asks for the invariant."""
    return next((each.span for each in plan.invariants if each.name == finding.invariant), plan.file)
