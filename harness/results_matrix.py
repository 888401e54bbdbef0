# SPDX-License-Identifier: GPL-3.0-only
"""What a matrix's cells come to: what was found of one service, against what must be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import HarnessError
from harness.model.matrix import (
    CLASSES,
    ERROR,
    HELD,
    JUDGED_BY,
    RACE,
    SUMMARY_FORMAT,
    UNPROVEN,
    DecidedCell,
    MatrixSummary,
    PlannedCell,
    PlannedMatrix,
)
from harness.model.plan import Plan
from harness.model.verdict import RECORD, Finding, Outcome, Verdict
from harness.results import Came, RunResult, came_of_error, worst

_PROVEN = (HELD, *CLASSES)


@dataclass(frozen=True, slots=True)
class Decided:
    """A cell, and the run that decides it or why there is none."""

    cell: PlannedCell
    result: RunResult | HarnessError

    @property
    def found(self) -> tuple[str, ...]:
        """HELD, UNPROVEN or ERROR, or the classes of what is VIOLATED."""
        if isinstance(self.result, HarnessError):
            return (ERROR,)
        return found_in(self.result.verdict, self.cell.plan, self.cell.threat.subject)

    @property
    def came(self) -> Came:
        """HELD when the cell is as expected; an unexpected UNPROVEN proves nothing against it."""
        if isinstance(self.result, HarnessError):
            return came_of_error(self.result)
        if is_as_expected(self.cell.expected, self.found):
            return Came.HELD
        if self.found == (ERROR,):
            return Came.ERROR
        return Came.UNPROVEN if self.found == (UNPROVEN,) else Came.VIOLATED

    @property
    def says(self) -> str:
        """Why the run could not be measured; empty when it was."""
        return self.result.message if isinstance(self.result, HarnessError) else self.result.verdict.error


def is_as_expected(expected: tuple[str, ...], found: tuple[str, ...]) -> bool:
    """Whether what was found of a cell is what must be; a race may end either way, but must be proven."""
    if expected == (RACE,):
        return all(word in _PROVEN for word in found)
    return set(expected) == set(found)


def found_in(verdict: Verdict, plan: Plan, subject: str) -> tuple[str, ...]:
    """What a verdict says of one service: its findings, and those that are about no other service.

    A run that was not measured to its end decides nothing.
    """
    if verdict.error:
        return (ERROR,)
    findings = tuple(_about(verdict.findings, plan, subject))
    violated = {finding.kind for finding in findings if finding.outcome == Outcome.VIOLATED}
    if violated:
        return tuple(sorted(violated))
    is_seen = any(finding.subject == subject and finding.invariant == JUDGED_BY for finding in findings)
    is_proven = is_seen and all(finding.outcome == Outcome.HELD for finding in findings)
    return (HELD,) if is_proven else (UNPROVEN,)


def _about(findings: Iterable[Finding], plan: Plan, subject: str) -> Iterator[Finding]:
    others = set(plan.services) - {subject}
    for finding in findings:
        if finding.invariant in (JUDGED_BY, RECORD) and finding.subject not in others:
            yield finding


def came_of_matrix(decided: Iterable[Decided]) -> Came:
    """The worst of all cells: mistake, error, a cell that differs, one that is not proven, and none of it."""
    return worst(each.came for each in decided)


def summary_of(matrix: PlannedMatrix, decided: Iterable[Decided], directory: Path) -> MatrixSummary:
    """All cells of the matrix, decided or not, for its directory."""
    by_cell = {(each.cell.row, each.cell.threat.name): each for each in decided}
    cells = tuple(_cell(cell, by_cell.get((cell.row, cell.threat.name)), directory) for cell in matrix.cells)
    complete = len(by_cell) == len(matrix.cells)
    came = worst((came_of_matrix(by_cell.values()), Came.HELD if complete else Came.UNPROVEN))
    return MatrixSummary(
        SUMMARY_FORMAT,
        matrix.file,
        matrix.summary,
        came.name,
        complete,
        cells,
        matrix.replicas,
    )


def _cell(cell: PlannedCell, decided: Decided | None, directory: Path) -> DecidedCell:
    shown = DecidedCell(cell.row, cell.threat.name, cell.threat.subject, cell.expected)
    if decided is None:
        return shown
    run = "" if isinstance(decided.result, HarnessError) else _way(decided.result.directory, directory)
    return replace(
        shown,
        found=decided.found,
        as_expected=decided.came is Came.HELD,
        directory=run,
        says=decided.says,
    )


def _way(run: Path, directory: Path) -> str:
    return str(run.relative_to(directory) if run.is_relative_to(directory) else run)
