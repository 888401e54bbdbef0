# SPDX-License-Identifier: GPL-3.0-only
"""Puts a run directory's verdict on the terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from harness.cli import sweep_table
from harness.host.rundir import RunDirectory
from harness.model.sweep_summary import SweepSummary
from harness.model.verdict import Verdict
from harness.record import read_timeline
from harness.report.text import render


def show(directory: Path, verdict: Verdict, swept: SweepSummary | None) -> None:
    """Print the report, where its page for a browser is, and last where the run directory is.

    Of a run that was swept over, with what each state came to.
    """
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(render(read_timeline(directory), verdict, colour).rstrip())
    if swept:
        print(f"\n{sweep_table.render(swept, directory).rstrip()}")
    page = RunDirectory(directory).page
    print(f"\n{page}" if page.exists() else "")
    print(directory, flush=True)
