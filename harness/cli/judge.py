# SPDX-License-Identifier: GPL-3.0-only
"""`harness judge`: the verdict again, from the record alone.

Of a run that was swept over, what its states came to is as `sweep.json` says: their records lie elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.cli import verdict_page
from harness.judge import judge_directory
from harness.results import Came, came_of
from harness.results_sweep import judged_again, read_summary
from harness.running_page import write_page


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="RUNDIR")


def carry_out(arguments: argparse.Namespace) -> int:
    verdict = judge_directory(arguments.directory)
    write_page(arguments.directory, verdict, _tell)
    summary = read_summary(arguments.directory)
    if summary is None:
        verdict_page.show(arguments.directory, verdict, None)
        return came_of(verdict).exit_code
    swept = judged_again(summary, verdict)
    verdict_page.show(arguments.directory, verdict, swept)
    return Came[swept.outcome].exit_code


def _tell(line: str) -> None:
    print(f"harness: {line}", file=sys.stderr)
