# SPDX-License-Identifier: GPL-3.0-only
"""`harness matrix`: every cell of a matrix decided by a run, to one table and one exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from harness.cli import lab_options, matrix_table, selection
from harness.cli.carrying_out import tell
from harness.errors import Mistake
from harness.host.rundir import locked, new_run
from harness.host.signals import terminate_on_signals
from harness.host.whole_file import write_whole
from harness.model import codec
from harness.model.matrix import SUMMARY, PlannedCell, PlannedMatrix
from harness.model.plan import Plan
from harness.planning import MATRIX_SUFFIX
from harness.planning_matrix import only
from harness.results import RunResult
from harness.results_matrix import Decided, came_of_matrix, summary_of
from harness.running_matrix import MatrixRunner, RunsOf, carry_out_rows

_MOST_AT_ONCE = 16


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("matrix", type=Path, metavar="MATRIX", help="a matrix file (*.matrix.yaml)")
    selection.catalogue_option(parser)
    add(
        "--only",
        action="append",
        default=[],
        type=selection.pair,
        metavar="KEY=VALUE",
        help="only cells of this row, threat or scenario file, such as threat=slow-snapd",
    )
    lab_options.options(parser)
    add("--at-once", type=_count, default=1, metavar="N", help="how many runs go on side by side (1)")
    add("--resume", type=Path, metavar="DIR", help="go on in the directory of a matrix that ended early")


def carry_out(arguments: argparse.Namespace) -> int:
    matrix = only(selection.selected_matrix(arguments.matrix, arguments.catalogue), arguments.only)
    with terminate_on_signals(), _directory(arguments) as directory:
        options = lab_options.as_words(arguments, beside_others=arguments.at_once > 1)
        runs = RunsOf(directory, options)
        before = runs.finished if arguments.resume else _never_before
        return run_matrix(matrix, directory, runs.carry_out, before, arguments.at_once)


def run_matrix(
    matrix: PlannedMatrix,
    directory: Path,
    runner: MatrixRunner,
    before: Callable[[Plan], RunResult | None],
    at_once: int,
) -> int:
    """Decide all cells and print the table; what `before` has of a plan is not run again.

    The exit code is that of the worst cell. `directory` has the cells decided so far at any time.
    """
    by_run = matrix.by_run
    earlier = {key: found for key, cells in by_run.items() if (found := before(cells[0].plan))}
    decided = [Decided(cell, found) for key, found in earlier.items() for cell in by_run[key]]
    _note(matrix, decided, directory)
    progress = matrix_table.Progress(len(by_run), len(earlier), tell)
    rows = _rows(matrix, [cells[0] for key, cells in by_run.items() if key not in earlier])
    with closing(carry_out_rows(rows, runner, at_once)) as done:
        for plan, result in done:
            of_run = [Decided(cell, result) for cell in by_run[plan.title]]
            decided += of_run
            _note(matrix, decided, directory)
            progress.tell(of_run)
    print(matrix_table.render(matrix, decided, directory), end="", flush=True)
    return came_of_matrix(decided).exit_code


def _rows(matrix: PlannedMatrix, cells: Iterable[PlannedCell]) -> list[list[Plan]]:
    """The plans of each row, each once."""
    of_row: dict[str, list[Plan]] = {row: [] for row in matrix.rows}
    for cell in cells:
        of_row[cell.row].append(cell.plan)
    return list(of_row.values())


def _note(matrix: PlannedMatrix, decided: Sequence[Decided], directory: Path) -> None:
    """:raise HostLacks: the directory cannot be written to."""
    summary = summary_of(matrix, decided, directory)
    write_whole(directory / SUMMARY, codec.dumps(summary) + "\n", durable=True)


@contextmanager
def _directory(arguments: argparse.Namespace) -> Iterator[Path]:
    """The matrix's directory, locked: a new one, or one of before.

    :raise Mistake: that of before is none, or another place was asked for as well.
    """
    before: Path | None = arguments.resume
    if before is None:
        name = arguments.matrix.name.removesuffix(MATRIX_SUFFIX)
        with new_run(arguments.runs or lab_options.RUNS, name) as made:
            yield made.path
        return
    if arguments.runs:
        raise Mistake("cannot put the runs of a matrix that goes on elsewhere", hint="leave --runs out")
    if not (before / SUMMARY).exists():
        raise Mistake(f"cannot go on in {before}: it has no {SUMMARY}", hint="give a matrix's own directory")
    with locked(before):
        yield before


def _never_before(_plan: Plan) -> RunResult | None:
    return None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MOST_AT_ONCE):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST_AT_ONCE}")
    return int(text)
