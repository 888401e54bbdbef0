# SPDX-License-Identifier: GPL-3.0-only
"""A sweep on a terminal: how much of it was done, and what each state came to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harness.model.sweep_summary import StateRun, SweepSummary
from harness.report.layout import safe, table

_HEADING = ("came out", "states", "files", "cut", "run directory")


def render(summary: SweepSummary, directory: Path) -> str:
    """The table, and as its last line what the sweep came to; `directory` is the recording's."""
    rows = [_HEADING, *(_row(run, directory) for run in summary.runs)]
    lines = [f"== {summary.scenario}, swept", "", *table(rows), "", *_came_to(summary, directory)]
    return "\n".join(map(safe, lines)) + "\n"


def _row(run: StateRun, directory: Path) -> tuple[str, ...]:
    """`files` counts those that are not what the step left in the end."""
    where = os.path.normpath(directory / run.directory) if run.directory else "none"
    return run.outcome, str(run.states), str(run.differs), str(run.cut), where


def _came_to(summary: SweepSummary, directory: Path) -> Iterator[str]:
    yield f"the recording: {summary.recorded}"
    if not summary.complete:
        yield f"not complete: --resume {directory} goes on with it"
    yield f"{summary.outcome}  {summary.coverage}"
