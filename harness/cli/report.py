# SPDX-License-Identifier: GPL-3.0-only
"""`harness report`: the page of a run directory, by the verdict that lies in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from harness.cli import verdict_page
from harness.errors import Mistake, RecordUnusable
from harness.host.rundir import RunDirectory
from harness.host.whole_file import write_whole
from harness.judge import judge_directory
from harness.model.codec import Undecodable, loads
from harness.model.timeline import Timeline
from harness.model.verdict import Verdict
from harness.record import read_timeline
from harness.report import data, html
from harness.results_sweep import read_summary

_STDOUT = Path("-")


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("directory", type=Path, metavar="RUNDIR")
    add(
        "--html",
        type=Path,
        metavar="FILE",
        help="write one self-contained HTML page; - is the standard output",
    )
    add("--json", type=Path, metavar="FILE", help="write the same as JSON; - is the standard output")


def carry_out(arguments: argparse.Namespace) -> int:
    if arguments.html == arguments.json == _STDOUT:
        raise Mistake(
            "cannot write both HTML and JSON to the standard output", hint="give one of them a file"
        )
    verdict = _verdict(RunDirectory(arguments.directory))
    if not arguments.html and not arguments.json:
        verdict_page.show(arguments.directory, verdict, read_summary(arguments.directory))
        return 0
    timeline = read_timeline(arguments.directory)
    for path, render in ((arguments.html, html.render), (arguments.json, data.render)):
        if path:
            _put(path, render, timeline, verdict)
    return 0


def _put(
    path: Path, render: Callable[[Timeline, Verdict], str], timeline: Timeline, verdict: Verdict
) -> None:
    text = render(timeline, verdict)
    if path == _STDOUT:
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.flush()
    else:
        write_whole(path, text)


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
