# SPDX-License-Identifier: GPL-3.0-only
"""What is said of a sweep that ended before it was complete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import Mistake
from harness.host.progress import Tell
from harness.lab_spec import LabOptions
from harness.model.plan import Plan
from harness.planning import find_catalogue
from harness.planning_resume import run_again
from harness.sweep.place import SweepPlace


def tell_how_to_go_on(place: SweepPlace, plan: Plan, options: LabOptions, tell: Tell) -> None:
    """What is kept, how much that is, and the command that goes on with it."""
    tell(
        f"sweep: not complete; {place.path} keeps what going on needs ({place.mib} MiB): the disk before the"
        " first cut, the log of what was written to it, what was found. That directory is safe to delete"
    )
    tell(f"sweep: to go on: {run_again(plan, place.path.parent, *_told(plan, options))}")


def _told(plan: Plan, options: LabOptions) -> Iterator[str]:
    """The options that the lab was given, as far as a command line does not find the same by itself."""
    usual = LabOptions(catalogue=_found_for(plan), runs=options.runs)
    given: dict[str, Path | str | None] = {
        "--catalogue": "" if options.catalogue.absolute() == usual.catalogue else options.catalogue,
        "--cache": options.cache,
        "--mirror": options.mirror,
        "--snapshot": options.snapshot,
        "--snapshot-base": options.snapshot_base,
        "--accelerator": "" if options.accelerator == usual.accelerator else options.accelerator,
        "--qemu": "" if options.qemu == usual.qemu else options.qemu,
    }
    for name, value in given.items():
        if value:
            yield from (name, str(value))
    if options.one_thread:
        yield "--one-thread"
    if options.keep:
        yield "--keep"


def _found_for(plan: Plan) -> Path:
    """The catalogue that is found when none is given; nowhere, when that would be a mistake."""
    try:
        return find_catalogue(Path(plan.file))
    except Mistake:
        return Path()
