# SPDX-License-Identifier: GPL-3.0-only
"""Goes on with a sweep that ended before it was complete: the recording is not made again.

It goes on with the same bytes only: a state that is booted with another witness, snap or image than the
recording had is another measurement.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import Mistake, RecordUnusable
from harness.host.progress import Tell
from harness.host.rundir import locked
from harness.lab import Lab
from harness.lab_prepared import Prepared
from harness.model.plan import Plan
from harness.model.sweep import PlannedSweep
from harness.model.sweep_summary import MEASURED, StateRun, SweepSummary
from harness.planning_resume import run_again
from harness.record import is_closed, read_plan, read_timeline
from harness.results import RunResult
from harness.results_sweep import read_summary
from harness.running_sweep import NOTHING_BEFORE, Before, Measure, sweep_over
from harness.sweep.place import Settled, SweepPlace


def resume_sweep(
    plan: Plan, planned: PlannedSweep, directory: Path, lab: Lab, tell: Tell, measure: Measure
) -> RunResult:
    """Go on with the sweep over the recording in `directory`, which is the plan's; its budget begins anew.

    States that were booted and judged to an end are judged again, from their records; the others are booted.

    :raise Mistake: nothing is left to go on with, or not the bytes that it was recorded with.
    :raise CannotMeasure: another process uses the directory, or what is kept there cannot be read.
    """
    with locked(directory):
        summary = read_summary(directory)
        settled = _settled(plan, directory, summary)
        _require_same_bytes(plan, directory, settled, lab)
        tell(f"sweep: going on with {directory}")
        if not lab.options.keep:
            SweepPlace.of(directory).tidy()
        before = _before(directory, summary, measure, tell) if summary else NOTHING_BEFORE
        return sweep_over(plan, planned, directory, lab, tell, measure, before)


def _settled(plan: Plan, directory: Path, summary: SweepSummary | None) -> Settled:
    """What was noted of the recording once it was over.

    :raise Mistake: it did not come so far, or what going on needs is not there any more.
    """
    place, anew = SweepPlace.of(directory), f"carry it out anew: {run_again(plan)}"
    if not is_closed(directory):
        raise Mistake(f"cannot go on with {directory}: its recording did not come to an end", hint=anew)
    settled = place.settled
    if settled is None and summary and summary.complete:
        raise Mistake(
            f"cannot go on with {directory}: its sweep is complete, nothing is left to do",
            hint=f"harness report {directory} shows that it came out {summary.outcome}",
        )
    if settled is None:
        raise Mistake(
            f"cannot go on with {directory}: {place.path} has not, or not any more, all that this needs",
            hint=anew,
        )
    if not place.is_unchanged:
        raise Mistake(
            f"cannot go on with {directory}: {place.base} or {place.log} is not what was recorded", hint=anew
        )
    return settled


# -- the same bytes


def _require_same_bytes(plan: Plan, directory: Path, settled: Settled, lab: Lab) -> None:
    """:raise Mistake: a boot would not be one of the machine that was recorded."""
    prepared = lab.prepare(plan)
    others = ", ".join(_others(directory, prepared))
    if others:
        raise Mistake(
            f"cannot go on with {directory}: not the same now as what was recorded: {others}",
            hint="give the --catalogue, --cache and --snapshot that it was recorded with,"
            f" or carry it out anew: {run_again(plan)}",
        )
    if lab.start_key(plan, prepared) != settled.start:
        raise Mistake(
            f"cannot go on with {directory}:"
            " its start is another one now (the witness, the accelerator or the CPU)",
            hint="use the harness, the --qemu and the --accelerator that it was recorded with,"
            f" or carry it out anew: {run_again(plan)}",
        )


def _others(directory: Path, prepared: Prepared) -> Iterator[str]:
    """What the record says went into the run, and is not there with this digest."""
    there = {(one.role, one.name, one.sha256) for one in prepared.artifacts()}
    for one in read_timeline(directory).artifacts:
        if (one.role, one.name, one.sha256) not in there:
            yield f"the {one.role} {one.name}"


# -- what was booted


def _before(directory: Path, summary: SweepSummary, measure: Measure, tell: Tell) -> Before:
    whole = [run for run in summary.runs if run.outcome in MEASURED and _is_whole(directory / run.directory)]
    if whole:
        tell(f"sweep: booted before, and judged again from their records: {len(whole)}")
    return Before(
        results={run.digest: _judged(directory / run.directory, measure) for run in whole},
        failed={run.digest: _failed(directory, run, is_whole=run in whole) for run in summary.runs},
    )


def _is_whole(run: Path) -> bool:
    try:
        return is_closed(run)
    except RecordUnusable:
        return False


def _judged(run: Path, measure: Measure) -> RunResult:
    return measure.judge(read_plan(run), run)


def _failed(directory: Path, run: StateRun, *, is_whole: bool) -> tuple[str, ...]:
    """The ways to runs of a state that could not be measured and are still there."""
    last = () if is_whole or not run.directory else (run.directory,)
    return tuple(way for way in (*run.earlier, *last) if (directory / way).is_dir())
