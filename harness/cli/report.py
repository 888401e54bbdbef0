# SPDX-License-Identifier: GPL-3.0-only
"""`harness report`: the page of a run directory, by the verdict that lies in it."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli import verdict_page
from harness.errors import RecordUnusable
from harness.host.rundir import RunDirectory
from harness.judge import judge_directory
from harness.model.codec import Undecodable, loads
from harness.model.verdict import Verdict


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="RUNDIR")


def carry_out(arguments: argparse.Namespace) -> int:
    verdict_page.show(arguments.directory, _verdict(RunDirectory(arguments.directory)))
    return 0


def _verdict(run: RunDirectory) -> Verdict:
    """The verdict in the directory; a run that ended before it was judged is judged now."""
    try:
        verdict: Verdict = loads(Verdict, run.verdict.read_bytes())
    except FileNotFoundError:
        return judge_directory(run.path)
    except Undecodable as error:
        raise RecordUnusable(
            f"cannot read {run.verdict}: {error}", hint="harness judge writes it anew"
        ) from error
    return verdict
