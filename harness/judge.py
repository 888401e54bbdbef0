# SPDX-License-Identifier: GPL-3.0-only
"""Record to verdict: a pure function, so that the same record has the same verdict everywhere and always."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import HostLacks
from harness.model import codec
from harness.model.plan import Boot, Look, PlannedInvariant, RebootGuest, Settle
from harness.model.scenario import Control
from harness.model.timeline import Timeline
from harness.model.verdict import (
    RECORD,
    VERDICT_FORMAT,
    ControlJudgement,
    Finding,
    Outcome,
    Verdict,
    worst,
)
from harness.policy.contradiction import contradictions
from harness.policy.holds import failed_holds
from harness.policy.knowledge import Knowledge
from harness.policy.points import idle_faults, missed_points
from harness.record import read_timeline
from harness.registry import JUDGES

VERDICT = "verdict.json"


def judge(timeline: Timeline) -> Verdict:
    """Judge every invariant of the plan, and the record that they are judged from."""
    timeline = Knowledge.of(timeline).timeline
    findings = sorted((*_of_invariants(timeline), *_of_record(timeline)), key=_order)
    return Verdict(
        format=VERDICT_FORMAT,
        scenario=timeline.plan.title,
        outcome=worst(finding.outcome for finding in findings),
        findings=tuple(findings),
        error=_error(timeline),
        control=_came_out(timeline.plan.controls, findings) if timeline.plan.controls else None,
        replicas=tuple(sorted({ref.entry for ref in timeline.plan.snaps if ref.replica})),
    )


def judge_directory(path: Path) -> Verdict:
    """Judge a run directory and write its verdict.json, the same bytes on every machine.

    Raises RecordUnusable when the record cannot be read and HostLacks when the verdict cannot be written.
    """
    with _collector_off():
        verdict = judge(read_timeline(path))
    unfinished = path / f"{VERDICT}.new"
    try:
        unfinished.write_text(codec.dumps(verdict) + "\n", encoding="ascii")
        unfinished.replace(path / VERDICT)
    except OSError as error:
        raise HostLacks(f"cannot write {VERDICT}: {error.strerror}") from error
    return verdict


@contextlib.contextmanager
def _collector_off() -> Iterator[None]:
    """A record becomes millions of values without a cycle, which Python's collector would keep searching."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _order(finding: Finding) -> tuple[int, str, str, str, str, str]:
    return finding.boot, finding.invariant, finding.subject, finding.kind, finding.summary, finding.author


def _of_invariants(timeline: Timeline) -> Iterator[Finding]:
    if not timeline.plan.invariants:
        yield _unproven(RECORD, "nothing-to-judge", "plan", "the scenario holds no invariant")
    for planned in timeline.plan.invariants:
        yield from _of_invariant(timeline, planned)


def _of_invariant(timeline: Timeline, planned: PlannedInvariant) -> tuple[Finding, ...]:
    name = planned.name
    if name not in JUDGES:
        summary = f"this harness does not know the invariant {name}"
        return (_unproven(name, "unknown-invariant", name, summary),)
    nothing = _unproven(
        name, "nothing-to-judge", name, f"nothing was recorded that {name} could be judged by"
    )
    return JUDGES[name](timeline, planned.parameters) or (nothing,)


def _of_record(timeline: Timeline) -> Iterator[Finding]:
    for gap in timeline.gaps:
        yield _unproven(RECORD, "gap", "record", gap)
    yield from _of_looks(timeline)
    for one in contradictions(Knowledge.of(timeline)):
        yield Finding(RECORD, Outcome.UNPROVEN, one.kind, one.name, one.boot, one.says, evidence=one.evidence)
    for failing in failed_holds(timeline):
        yield _unproven(RECORD, failing.kind, failing.unit, failing.says, failing.boot)
    for missed in (*missed_points(timeline), *idle_faults(timeline)):
        yield _unproven(RECORD, missed.kind, f"step {missed.step}", missed.says, missed.boot)
    planned = sum(isinstance(step.action, Boot | RebootGuest) for step in timeline.plan.steps)
    for boot in timeline.boots[planned:]:
        summary = f"boot {boot.number} was not planned ({boot.cause}): the guest rebooted by itself"
        yield _unproven(RECORD, "unplanned-boot", f"boot {boot.number}", summary, boot.number)


def _of_looks(timeline: Timeline) -> Iterator[Finding]:
    taken = {seen.taken.number for boot in timeline.boots for seen in boot.looks}
    for step in timeline.plan.steps:
        if isinstance(step.action, Look | Settle) and step.number not in taken:
            summary = f"the look of step {step.number} ({step.title}) is not in the record"
            yield _unproven(RECORD, "no-look", f"step {step.number}", summary)


def _unproven(invariant: str, kind: str, subject: str, summary: str, boot: int = 0) -> Finding:
    return Finding(invariant, Outcome.UNPROVEN, kind, subject, boot, summary)


def _error(timeline: Timeline) -> str:
    failure = timeline.failure
    if failure is None:
        return ""
    where = f"step {failure.number}: " if failure.number else ""
    return f"{where}{failure.kind}: {failure.message}"


def _came_out(controls: Sequence[Control], findings: Sequence[Finding]) -> ControlJudgement:
    missing = missing_of(controls, findings)
    return ControlJudgement(not missing, missing)


def missing_of(controls: Sequence[Control], findings: Sequence[Finding]) -> tuple[str, ...]:
    """What controls say must be VIOLATED, and these findings do not say of anything."""
    return tuple(each for control in controls for each in _missing(control, findings))


def _missing(control: Control, findings: Sequence[Finding]) -> Iterator[str]:
    violated = [f for f in findings if f.invariant == control.invariant and f.outcome == Outcome.VIOLATED]
    for subject in control.subjects or ("",):
        if not any(_meets(control, subject, finding) for finding in violated):
            yield f"{control.invariant} was not VIOLATED for {subject or 'anything'}{_expectation(control)}"


def _meets(control: Control, subject: str, finding: Finding) -> bool:
    return (
        subject in ("", finding.subject)
        and control.author in ("", finding.author)
        and control.finding_class in ("", finding.kind)
        and (not control.evidence or any(control.evidence in one.says for one in finding.evidence))
    )


def _expectation(control: Control) -> str:
    kind = f" as {control.finding_class}" if control.finding_class else ""
    author = f" under policy of {control.author}" if control.author else ""
    evidence = f" with {control.evidence!r} in the evidence" if control.evidence else ""
    return kind + author + evidence
