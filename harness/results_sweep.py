# SPDX-License-Identifier: GPL-3.0-only
"""What a sweep comes to: the recording, every state that was booted, and how much of it all that is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import HarnessError, RecordUnusable
from harness.host.rundir import RunDirectory
from harness.judge import missing_of
from harness.model.codec import Undecodable, loads
from harness.model.sweep import DistinctState, SweepResult
from harness.model.sweep_summary import (
    MEASURED,
    NOT_BOOTED,
    SUMMARY,
    SUMMARY_FORMAT,
    StateRun,
    SweepSummary,
)
from harness.model.verdict import ControlJudgement, Evidence, Finding, Outcome, Verdict, worst
from harness.results import Came, RunResult, came_of, came_of_error
from harness.results import worst as worst_of

SWEEP = "sweep"
"""The `invariant` of findings about the states of a sweep."""

_MOST_EVIDENCE = 5


@dataclass(frozen=True, slots=True)
class Booted:
    """A state, and what came of booting it; None when its turn has not come.

    `earlier` are the ways to runs of it that could not be measured.
    """

    state: DistinctState
    result: RunResult | HarnessError | None
    earlier: tuple[str, ...] = ()


def whole(recorded: RunResult, found: SweepResult, booted: Sequence[Booted]) -> RunResult:
    """The recording's result with all that was booted in it."""
    findings = (*recorded.verdict.findings, *_findings(recorded, found, booted))
    outcome = worst(finding.outcome for finding in findings)
    error = "\n".join((*filter(None, [recorded.verdict.error]), *_errors(booted)))
    verdict = replace(
        recorded.verdict,
        outcome=outcome,
        findings=findings,
        error=error,
        control=_control(recorded, booted),
    )
    runs = tuple(_run(recorded, one) for one in booted)
    summary = SweepSummary(
        format=SUMMARY_FORMAT,
        scenario=recorded.plan.title,
        outcome=came_of(verdict).name,
        recorded=came_of(recorded.verdict).name,
        states=found.states,
        looked=found.looked,
        gap=found.gap,
        runs=runs,
        complete=found.looked == found.states and all(run.outcome in MEASURED for run in runs),
    )
    return replace(recorded, verdict=verdict, swept=summary)


def read_summary(directory: Path) -> SweepSummary | None:
    """The summary that lies in a run directory, if the run was one to sweep over.

    :raise RecordUnusable: it cannot be read.
    """
    path = directory / SUMMARY
    try:
        summary: SweepSummary = loads(SweepSummary, path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, Undecodable) as error:
        raise RecordUnusable(
            f"cannot read {path}: {error}", hint="without it, a sweep that goes on boots every state again"
        ) from error
    if summary.format != SUMMARY_FORMAT:
        raise RecordUnusable(f"cannot read {path}: format {summary.format}, not {SUMMARY_FORMAT}")
    return summary


def judged_again(summary: SweepSummary, recorded: Verdict) -> SweepSummary:
    """The summary with another verdict on the recording; what each state came to is as it says."""
    open_ones = [Came.UNPROVEN] if summary.looked < summary.states or summary.gap or not summary.runs else []
    states = (Came[run.outcome] if run.outcome in Came.__members__ else Came.UNPROVEN for run in summary.runs)
    came = worst_of(_in_whole(each) for each in (came_of(recorded), *states, *open_ones))
    return replace(summary, recorded=came_of(recorded).name, outcome=came.name)


def _in_whole(came: Came) -> Came:
    """What a state counts as: one that could not be booted, for whatever reason, was not measured."""
    return Came.ERROR if came is Came.MISTAKE else came


def _control(recorded: RunResult, booted: Sequence[Booted]) -> ControlJudgement | None:
    """Met when each thing that it names was found in the recording, or in some state."""
    if not recorded.plan.controls:
        return None
    verdicts = (recorded.verdict, *(verdict for one in booted if (verdict := _verdict(one))))
    missing = missing_of(recorded.plan.controls, [f for verdict in verdicts for f in verdict.findings])
    return ControlJudgement(not missing, missing)


def _verdict(one: Booted) -> Verdict | None:
    return one.result.verdict if isinstance(one.result, RunResult) else None


def _errors(booted: Sequence[Booted]) -> Iterator[str]:
    for one in booted:
        verdict = _verdict(one)
        if isinstance(one.result, HarnessError):
            yield f"{one.state.cut}: {one.result}"
        elif verdict and verdict.error:
            yield f"{one.state.cut}: {verdict.error}"


# -- findings


def _findings(recorded: RunResult, found: SweepResult, booted: Sequence[Booted]) -> Iterator[Finding]:
    if not found.complete:
        yield _unproven("coverage", "states", f"not every state was looked at: {found.coverage}")
    if not booted:
        yield _unproven("nothing-to-judge", "states", "no state was found that could be booted")
    left = [one.state for one in booted if one.result is None]
    if left:
        names = ", ".join(str(state.cut) for state in left[:3]) + ", …" * (len(left) > 3)
        says = f"{len(left)} of {len(booted)} policies were not booted, the time was used up: {names}"
        yield _unproven("not-booted", "states", says)
    for one in booted:
        verdict = _verdict(one)
        if verdict is None and one.result is not None:
            yield _unproven("not-measured", str(one.state.cut), f"{_who(one.state)}: not measured")
        elif verdict is not None and isinstance(one.result, RunResult):
            yield _of_state(recorded, one.state, one.result)


def _of_state(recorded: RunResult, state: DistinctState, result: RunResult) -> Finding:
    verdict = result.verdict
    wrong = [finding for finding in verdict.findings if finding.outcome == verdict.outcome]
    first = wrong[0] if wrong and verdict.outcome != Outcome.HELD else None
    where = way_to(recorded.directory, result.directory)
    if first is None:
        says = "all held" if wrong else "nothing was proven"
        kind = "held" if wrong else "nothing-to-judge"
        return Finding(SWEEP, verdict.outcome, kind, str(state.cut), 0, f"{_who(state)}: {says} ({where})")
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return Finding(
        invariant=SWEEP,
        outcome=verdict.outcome,
        kind=first.kind,
        subject=str(state.cut),
        boot=0,
        summary=f"{_who(state)}: {first.invariant}: {first.summary}{more} ({where})",
        author=first.author,
        evidence=tuple(
            Evidence(f"{where}/{evidence.file}", evidence.line, evidence.says)
            for evidence in first.evidence[:_MOST_EVIDENCE]
        ),
        known_by=first.known_by,
    )


def _who(state: DistinctState) -> str:
    others = state.states - 1
    alike = f" and {others} state{'s' * (others > 1)} like it" if others else ""
    return f"{state.cut}{alike}"


def _unproven(kind: str, subject: str, summary: str) -> Finding:
    return Finding(SWEEP, Outcome.UNPROVEN, kind, subject, 0, summary)


# -- the summary


def _run(recorded: RunResult, one: Booted) -> StateRun:
    state = one.state
    differs = len(state.differs)
    told = StateRun(state.cut, state.digest, state.states, differs, NOT_BOOTED, "", earlier=one.earlier)
    match one.result:
        case None:
            return replace(told, says="it was not booted yet")
        case RunResult(directory=directory, verdict=verdict):
            where = way_to(recorded.directory, directory)
            wrong = next((f for f in verdict.findings if f.outcome == verdict.outcome), None)
            said = verdict.error or (wrong.summary if wrong and verdict.outcome != Outcome.HELD else "")
            page = f"{where}/{RunDirectory(directory).page.name}"
            return replace(told, outcome=came_of(verdict).name, says=said, directory=where, page=page)
        case error:
            return replace(told, outcome=came_of_error(error).name, says=error.message)


def way_to(here: Path, there: Path) -> str:
    """How one run directory is named from another."""
    return os.path.relpath(there, here)
