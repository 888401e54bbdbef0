# SPDX-License-Identifier: GPL-3.0-only
"""Puts the page of a judged run into its directory."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HostLacks
from harness.host.progress import Tell
from harness.host.rundir import RunDirectory
from harness.host.whole_file import write_whole
from harness.model.verdict import Verdict
from harness.record import read_timeline
from harness.report.html import render


def write_page(directory: Path, verdict: Verdict, tell: Tell) -> None:
    """Write report.html anew; when it cannot be written that is told, and the verdict stands.

    :raise RecordUnusable: the record cannot be read.
    """
    try:
        write_whole(RunDirectory(directory).page, render(read_timeline(directory), verdict))
    except HostLacks as error:
        tell(f"the verdict stands, but its page is not to be had: {error}")
