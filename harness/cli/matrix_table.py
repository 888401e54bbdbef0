# SPDX-License-Identifier: GPL-3.0-only
"""A matrix on a terminal: what is expected of its cells, how far it is, and what all of it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.host.deadline import monotonic
from harness.host.progress import Tell
from harness.model.matrix import HELD, SUMMARY, PlannedCell, PlannedMatrix
from harness.report import layout
from harness.report.layout import safe
from harness.results import Came
from harness.results_matrix import Decided, came_of_matrix

_Shown = Callable[[PlannedCell], str]


def explain(matrix: PlannedMatrix) -> str:
    """The table of what is expected; ends in a newline."""
    lines = [f"matrix {matrix.file}", f"  {matrix.summary}", "", *threats(matrix), ""]
    lines += table(matrix, lambda cell: words(cell.expected))
    lines += ["", f"{len(matrix.cells)} cells, decided by {len(matrix.by_run)} runs", *_replicas(matrix)]
    return "\n".join(map(safe, lines)) + "\n"


def render(matrix: PlannedMatrix, decided: Sequence[Decided], directory: Path) -> str:
    """The table of what was found, what of it is not as expected, and as the last line what it came to."""
    by_cell = {(each.cell.row, each.cell.threat.name): each for each in decided}
    lines = ["", f"matrix {matrix.file}", "", *threats(matrix), ""]
    lines += table(matrix, lambda cell: _found(by_cell.get((cell.row, cell.threat.name))))
    wrong = [each for each in decided if each.came is not Came.HELD]
    lines += ["", *(line for each in wrong for line in _differs(each))]
    lines += [*_replicas(matrix), f"cells: {directory / SUMMARY}", _came_to(decided, wrong)]
    return "\n".join(map(safe, lines)) + "\n"


def table(matrix: PlannedMatrix, shown: _Shown) -> Iterator[str]:
    """A line for each row, with the text that `shown` gives for each of its cells."""
    texts: Mapping[tuple[str, str], str] = {
        (cell.row, cell.threat.name): shown(cell) for cell in matrix.cells
    }
    columns = [threat.name for threat in matrix.threats]
    rows = [
        [matrix.variable, *columns],
        *([row, *(texts.get((row, name), "") for name in columns)] for row in matrix.rows),
    ]
    return layout.table(rows)


def threats(matrix: PlannedMatrix) -> Iterator[str]:
    """What the columns mean."""
    width = max(len(threat.name) for threat in matrix.threats)
    for threat in matrix.threats:
        yield f"  {threat.name:<{width}}  {threat.says} ({threat.subject})"


def words(cell: tuple[str, ...]) -> str:
    """A cell as people read it."""
    return ", ".join(cell)


class Progress:
    """Lines such as ``[ 1683 s] 12/105 design=digest slow-snapd: broken`` on `tell`."""

    def __init__(self, runs: int, earlier: int, tell: Tell) -> None:
        self._runs = runs
        self._done = earlier
        self._began = monotonic()
        self._tell = tell
        tell(f"{runs} runs decide all cells" + (f"; {earlier} were finished before" if earlier else ""))

    def tell(self, cells: Sequence[Decided]) -> None:
        """A run has decided these cells."""
        self._done += 1
        since = f"[{monotonic() - self._began:5.0f} s] {self._done}/{self._runs}"
        found = "; ".join(f"{each.cell.threat.name} {_found(each)}" for each in cells)
        self._tell(safe(f"{since} {cells[0].cell.row}: {found}"))


def _found(decided: Decided | None) -> str:
    if decided is None:
        return "-"
    found = words(decided.found)
    return found if decided.came is Came.HELD else f"{found} (not {words(decided.cell.expected)})"


def _differs(decided: Decided) -> Iterator[str]:
    cell, result = decided.cell, decided.result
    found = f"found {words(decided.found)}, expected {words(cell.expected)}"
    run = getattr(result, "directory", "no run directory")
    yield f"{cell.row}, {cell.threat.name}: {found}: {run}"
    if decided.says:
        yield f"  {decided.says.splitlines()[0]}"


def _replicas(matrix: PlannedMatrix) -> Iterable[str]:
    if matrix.replicas:
        yield f"replicas, not the releases themselves: {len(matrix.replicas)} cores"


def _came_to(decided: Sequence[Decided], wrong: Sequence[Decided]) -> str:
    if not wrong:
        return f"{HELD}  all {len(decided)} cells are as expected"
    return f"{came_of_matrix(decided).name}  {len(wrong)} of {len(decided)} cells are not as expected"
