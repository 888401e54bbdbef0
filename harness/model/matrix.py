# SPDX-License-Identifier: GPL-3.0-only
"""A matrix: scenarios that vary in one thing, and what each of its values must come out as in each of them.

A cell is about one service: what policy-from-running-snapd found of its starts and of it at boots' ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.model.gate import Listed
from harness.model.plan import Plan
from harness.model.spans import Span

JUDGED_BY = "policy-from-running-snapd"
HELD, UNPROVEN, RACE, ERROR = "HELD", "UNPROVEN", "race", "ERROR"
CLASSES = ("broken", "missing", "stale", "unconfined")
"""The classes of what that invariant finds VIOLATED (docs/design.md, section 1)."""

WORDS = (HELD, UNPROVEN, RACE, *CLASSES)
"""What a cell may be expected to be; `race` is HELD or VIOLATED, by who comes first."""

SUMMARY = "matrix.json"
SUMMARY_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Threat:
    """A column: a scenario file, and the security tag of the service that is looked at in its runs.

    One file may show several threats, by several services. `says` is for people.
    """

    name: str
    listed: Listed
    subject: str
    subject_span: Span
    says: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What a cell must be: HELD, UNPROVEN, race, or all classes that must be found VIOLATED."""

    span: Span
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A value of the variable with its cells, by the threat's name."""

    name: str
    span: Span
    cells: Mapping[str, Expected]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix file as its author wrote it, its scenarios still to be read."""

    summary: str
    variable: str
    variable_span: Span
    threats: tuple[Threat, ...] = ()
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell with the plan whose run decides it; one run may decide several."""

    row: str
    threat: Threat
    expected: tuple[str, ...]
    plan: Plan


@dataclass(frozen=True, slots=True)
class PlannedMatrix:
    """A matrix with everything looked up; `file` is its own. Cells are row by row, as in the file."""

    file: str
    summary: str
    variable: str
    threats: tuple[Threat, ...]
    rows: tuple[str, ...]
    cells: tuple[PlannedCell, ...]

    @property
    def by_run(self) -> Mapping[str, Sequence[PlannedCell]]:
        """The cells that one run decides, by its title, in the order of the file."""
        found: dict[str, list[PlannedCell]] = {}
        for cell in self.cells:
            found.setdefault(cell.plan.title, []).append(cell)
        return found

    @property
    def replicas(self) -> tuple[str, ...]:
        """The cores in it that re-create releases, sorted."""
        return tuple(sorted({ref.entry for cell in self.cells for ref in cell.plan.snaps if ref.replica}))


@dataclass(frozen=True, slots=True)
class DecidedCell:
    """A cell as it lies in `matrix.json`: `found` is empty until a run has decided it.

    `directory` is the way from the matrix's directory to the run's, empty where there is none; `says` is why
    the run could not be measured.
    """

    row: str
    threat: str
    subject: str
    expected: tuple[str, ...]
    found: tuple[str, ...] = ()
    as_expected: bool = False
    directory: str = ""
    says: str = ""


@dataclass(frozen=True, slots=True)
class MatrixSummary:
    """What a matrix came to, as it lies in its directory; `replicas` are cores that re-create releases."""

    format: int
    matrix: str
    summary: str
    outcome: str
    complete: bool
    cells: tuple[DecidedCell, ...]
    replicas: tuple[str, ...] = ()
