# SPDX-License-Identifier: GPL-3.0-only
"""From a matrix file to its cells, each with the plan whose run decides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import Mistake
from harness.model.catalogue import Catalogue
from harness.model.matrix import Matrix, PlannedCell, PlannedMatrix
from harness.model.plan import Plan
from harness.planning import MATRIX_SUFFIX, is_matrix
from harness.planning_listed import listed_plans
from harness.scenario import source
from harness.scenario.matrix import decode, note_unfit
from harness.scenario.source import Problems, did_you_mean

THREAT, FILE = "threat", "file"
"""What cells can be chosen by besides the variable: the column, and the scenario file's name."""


def plan_matrix(file: Path, catalogue: Catalogue) -> PlannedMatrix:
    """The matrix in `file`.

    :raise Mistake: the file cannot be read, or is not called as matrices are.
    :raise Mistakes: with every problem in the file and in those that it lists.
    """
    if not is_matrix(file):
        raise Mistake(
            f"{file} is no matrix: a matrix's file name ends with {MATRIX_SUFFIX}", hint=f"harness run {file}"
        )
    problems = Problems()
    matrix = decode(source.load(file), problems)
    plans: dict[str, Sequence[Plan]] = {}
    for threat in matrix.threats:
        if threat.listed.file not in plans:
            plans[threat.listed.file] = listed_plans(threat.listed, file, catalogue, problems)
        if matrix.variable and plans[threat.listed.file]:
            note_unfit(threat, plans[threat.listed.file], matrix, problems)
    problems.found = list(dict.fromkeys(problems.found))
    problems.raise_if_any()
    threats, rows = matrix.threats, tuple(row.name for row in matrix.rows)
    return PlannedMatrix(
        str(file), matrix.summary, matrix.variable, threats, rows, tuple(_cells(matrix, plans))
    )


def _cells(matrix: Matrix, plans: Mapping[str, Sequence[Plan]]) -> list[PlannedCell]:
    of_row = {(file, plan.variant[matrix.variable]): plan for file, those in plans.items() for plan in those}
    return [
        PlannedCell(row.name, threat, row.cells[threat.name].words, of_row[threat.listed.file, row.name])
        for row in matrix.rows
        for threat in matrix.threats
    ]


def only(matrix: PlannedMatrix, chosen: Sequence[tuple[str, str]]) -> PlannedMatrix:
    """The cells that are left by pairs of a key and a value: of one key any counts, of several all do.

    :raise Mistake: there is no such key or value, or nothing is left.
    """
    values_of = _values(matrix)
    wanted: dict[str, set[str]] = {}
    for key, value in chosen:
        known = values_of.get(key)
        if known is None:
            keys = ", ".join(values_of)
            raise Mistake(f"cannot choose cells by {key!r}", hint=f"{matrix.file} has {keys}")
        if value not in known:
            near = did_you_mean(value, known)
            hint = f"did you mean {near}?" if near else f"it has: {', '.join(known)}"
            raise Mistake(f"cannot find a cell of {matrix.file} with {key}={value}", hint=hint)
        wanted.setdefault(key, set()).add(value)
    cells = tuple(
        cell
        for cell in matrix.cells
        if all(_of(matrix, cell)[key] in values for key, values in wanted.items())
    )
    if not cells:
        told = ", ".join(f"{key}={value}" for key, value in chosen)
        raise Mistake(f"cannot find a cell of {matrix.file} with {told}")
    rows, threats = {cell.row for cell in cells}, {cell.threat.name for cell in cells}
    return replace(
        matrix,
        threats=tuple(threat for threat in matrix.threats if threat.name in threats),
        rows=tuple(row for row in matrix.rows if row in rows),
        cells=cells,
    )


def _values(matrix: PlannedMatrix) -> Mapping[str, Sequence[str]]:
    """What each key can be, in the order of the file."""
    by_key: dict[str, dict[str, None]] = {}
    for cell in matrix.cells:
        for key, value in _of(matrix, cell).items():
            by_key.setdefault(key, {})[value] = None
    return {key: tuple(values) for key, values in by_key.items()}


def _of(matrix: PlannedMatrix, cell: PlannedCell) -> Mapping[str, str]:
    return {matrix.variable: cell.row, THREAT: cell.threat.name, FILE: Path(cell.threat.listed.file).stem}
