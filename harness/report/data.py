# SPDX-License-Identifier: GPL-3.0-only
"""A run as one JSON document: what the HTML page shows, for other programs.

Keys may be added within a `format`; a changed meaning is another one. Format 1::

    format        1
    scenario      its name with its variant; summary, report (a URL or empty), variant {name: value}
    outcome       HELD, UNPROVEN or VIOLATED; exit_code as of `harness run`
    error         why measuring failed, empty when it did not: then the outcome is of what was found before
    control       null, or {as_expected, missing: [text]}
    replicas      [names]
    findings      the worst first: [{number, outcome, invariant, kind, subject, boot (0: the run), author,
                  summary, evidence: [{file, line, says}]}]
    boots         [{number, boot_id, cause, ended, until, notes: [text], lanes, edges, starts}]
    steps         [{number, title, seconds (null: not ended), detail}]
    plan          {file, image, snaps: [{snap, entry, variant, replica}], services, steps: [title]}
    versions      {harness, host: {name: value}, qemu, accelerator, why, cpu_model, host_factor,
                  qemu_peak_kib, harness_peak_kib, artefacts: [{role, name, sha256, build_ids}]};
                  what was not recorded is absent
    gaps          [what is missing of the record or torn]

Times are whole nanoseconds since the boot's kernel started. Of a boot::

    lanes         [{name, left_out, marks, bars}]; left_out counts what was too much to show
    marks         [{at, shape, says, place, author, finding, approximate, count}]
    bars          [{since, until, stretch, says, place, author, finding, approximate}]
    edges         [{lane, since (null: before this boot), to_lane, until, says, brief, author, broken,
                  finding}]
    starts        [{at, tag, pid, exe, class, author, seccomp: [snapd], apparmor: [snapd], finding, place,
                  seen_late}]

`place` is `file:line` in the run directory, `author` the snapd whose policy it is, `finding` a number of
`findings` (0: none); for marks, bars and edges only one that says VIOLATED. `approximate` places come from
the host's clock; marks of less than a thousandth of the boot apart are one, and `count` says of how many.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from harness.model.codec import JSON
from harness.model.event import MachineStarted, MemoryRead, RunOpened, StartRepeated, StepBegan, StepEnded
from harness.model.timeline import BootRecord, Timeline
from harness.model.verdict import Verdict
from harness.policy.knowledge import Knowledge
from harness.report.numbered import Numbered, numbered
from harness.report.starts import Start
from harness.report.strip import Strip
from harness.report.strips import strips

REPORT_FORMAT = 1


def render(timeline: Timeline, verdict: Verdict) -> str:
    """The document, ASCII only, the same bytes for the same run on every machine."""
    return json.dumps(document(timeline, verdict), indent=1, ensure_ascii=True, sort_keys=True) + "\n"


def document(timeline: Timeline, verdict: Verdict) -> dict[str, JSON]:
    """The document as data."""
    found = numbered(verdict)
    drawn = strips(timeline, Knowledge.of(timeline), found)
    boots = zip(timeline.boots, drawn.boots, strict=True)
    return {
        "format": REPORT_FORMAT,
        **_verdict(verdict),
        "summary": timeline.plan.summary,
        "report": timeline.plan.report,
        "variant": dict(timeline.plan.variant),
        "findings": [_finding(one) for one in found],
        "boots": [_boot(boot, strip, drawn.starts[boot.number]) for boot, strip in boots],
        "steps": _steps(timeline),
        "plan": _plan(timeline),
        "versions": _versions(timeline),
        "gaps": list(timeline.gaps),
    }


def _verdict(verdict: Verdict) -> dict[str, JSON]:
    control = verdict.control
    return {
        "scenario": verdict.scenario,
        "outcome": verdict.outcome.value,
        "exit_code": verdict.exit_code,
        "error": verdict.error,
        "control": _plain(control) if control else None,
        "replicas": list(verdict.replicas),
    }


def _finding(one: Numbered) -> JSON:
    return {"number": one.number, **_mapping(one.finding)}


def _boot(boot: BootRecord, strip: Strip, starts: Sequence[Start]) -> JSON:
    drawn = _mapping(strip)
    return {
        "number": boot.number,
        "boot_id": boot.boot_id,
        "cause": boot.cause,
        "ended": boot.ended,
        "starts": [_start(start) for start in starts],
        **{key: drawn[key] for key in ("until", "notes", "lanes", "edges")},
    }


def _start(start: Start) -> JSON:
    return {
        "at": start.at,
        "tag": start.tag,
        "pid": start.pid,
        "exe": start.exe,
        "class": start.kind,
        "author": start.author,
        "seccomp": list(start.seccomp),
        "apparmor": list(start.apparmor),
        "finding": start.finding.number if start.finding else 0,
        "place": start.place,
        "seen_late": start.seen_late,
    }


def _steps(timeline: Timeline) -> JSON:
    ended = {e.event.number: e.event for e in timeline.events if isinstance(e.event, StepEnded)}
    steps: list[JSON] = []
    for recorded in timeline.events:
        if isinstance(recorded.event, StepBegan):
            step = recorded.event
            end = ended.get(step.number)
            seconds, detail = (end.seconds, end.detail) if end else (None, "")
            steps.append({"number": step.number, "title": step.title, "seconds": seconds, "detail": detail})
    return steps


def _plan(timeline: Timeline) -> JSON:
    plan = timeline.plan
    return {
        "file": plan.file,
        "image": plan.image,
        "snaps": [
            {"snap": ref.snap, "entry": ref.entry, "variant": ref.variant, "replica": ref.replica}
            for ref in plan.snaps
        ],
        "services": list(plan.services),
        "steps": [step.title for step in plan.steps],
    }


def _versions(timeline: Timeline) -> JSON:
    versions: dict[str, JSON] = {"artefacts": [_plain(artefact) for artefact in timeline.artifacts]}
    for recorded in timeline.events:
        match recorded.event:
            case RunOpened(harness=harness, host=host):
                versions |= {"harness": harness, "host": dict(host)}
            case StartRepeated(key=key, made=made, boots=boots):
                versions |= {"start": {"key": key, "made": made, "boots": boots}}
            case MachineStarted() as machine:
                versions |= _mapping(machine)
            case MemoryRead(qemu_peak=qemu, harness_peak=harness_peak):
                versions |= {"qemu_peak_kib": qemu, "harness_peak_kib": harness_peak}
            case _:
                pass
    return versions


def _mapping(value: object) -> dict[str, JSON]:
    plain = _plain(value)
    if not isinstance(plain, dict):
        raise TypeError(f"{type(value).__name__} is no dataclass")
    return plain


def _plain(value: object) -> JSON:
    data: JSON = json.loads(json.dumps(dataclasses.asdict(value)))  # type: ignore[call-overload]
    return data
