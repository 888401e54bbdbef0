# SPDX-License-Identifier: GPL-3.0-only
"""A sweep on a terminal: how much of it was done, and what each state came to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import RecordUnusable
from harness.model.codec import Undecodable, loads
from harness.model.sweep_summary import SUMMARY, SUMMARY_FORMAT, StateRun, SweepSummary
from harness.report.layout import safe

_HEADING = ("came out", "states", "files", "cut", "run directory")


def render(summary: SweepSummary, directory: Path) -> str:
    """The table, and as its last line what the sweep came to; `directory` is the recording's."""
    rows = [_HEADING, *(_row(run, directory) for run in summary.runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADING))]
    table = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    lines = [f"== {summary.scenario}, swept", "", *table, "", *_came_to(summary)]
    return "\n".join(map(safe, lines)) + "\n"


def of_directory(directory: Path) -> SweepSummary | None:
    """The summary that lies in a run directory, if the run was one to sweep over.

    :raise RecordUnusable: it cannot be read.
    """
    path = directory / SUMMARY
    try:
        summary: SweepSummary = loads(SweepSummary, path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, Undecodable) as error:
        raise RecordUnusable(f"cannot read {path}: {error}") from error
    if summary.format != SUMMARY_FORMAT:
        raise RecordUnusable(f"cannot read {path}: format {summary.format}, not {SUMMARY_FORMAT}")
    return summary


def _row(run: StateRun, directory: Path) -> tuple[str, ...]:
    """`files` counts those that are not what the step left in the end."""
    where = os.path.normpath(directory / run.directory) if run.directory else "none"
    return run.outcome, str(run.states), str(run.differs), str(run.cut), where


def _came_to(summary: SweepSummary) -> Iterator[str]:
    yield f"the recording: {summary.recorded}"
    yield f"{summary.outcome}  {summary.coverage}"
