# SPDX-License-Identifier: GPL-3.0-only
"""Every snap service starts under policy made by the snapd that runs, and has it at each boot's end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.invariant.dead_service import judge_dead
from harness.invariant.ends import End, absent_snaps, ends_of, unseen_end, witness
from harness.invariant.every_start import judge_starts
from harness.model.observation import ServiceSeen, SnapdSeen
from harness.model.timeline import SeenLook, Timeline
from harness.model.verdict import Evidence, Finding, Outcome
from harness.policy import confinement
from harness.policy.confinement import Class, Confinement
from harness.policy.knowledge import Knowledge
from harness.policy.part import State

NAME = "policy-from-running-snapd"

_OUTCOMES = {
    Class.FRESH: Outcome.HELD,
    Class.STALE: Outcome.VIOLATED,
    Class.UNCONFINED: Outcome.VIOLATED,
    Class.MISSING: Outcome.VIOLATED,
    Class.WAITING: Outcome.UNPROVEN,
    Class.UNSEEN: Outcome.UNPROVEN,
}


@dataclass(frozen=True, slots=True)
class _Scene:
    """One boot's end with what is known of the whole run."""

    seen: SeenLook
    snapd: SnapdSeen
    known: Knowledge

    @property
    def boot(self) -> int:
        return self.seen.taken.boot

    @property
    def runs(self) -> str:
        return self.known.builds.name(self.snapd.build_id)


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Judge the services in `services` (all of the plan's when empty): every start, and every boot's end.

    `strict` may be `ordering`: a start that nothing would have held back is VIOLATED then.
    """
    tags = parameters.get("services") or timeline.plan.services
    strict = "ordering" in parameters.get("strict", ())
    known = Knowledge.of(timeline)
    findings: list[Finding] = []
    for boot in timeline.boots:
        findings += judge_starts(NAME, boot, tags, known, strict=strict)
    for end in ends_of(timeline):
        findings += _judge_end(timeline, end, tags, known)
    return tuple(findings)


def _judge_end(timeline: Timeline, end: End, tags: Iterable[str], known: Knowledge) -> Iterator[Finding]:
    if end.seen is None:
        yield unseen_end(NAME, end)
        return
    present = {service.tag: service for service in end.seen.look.services}
    absent = absent_snaps(timeline, end.step.number)
    wanted = [tag for tag in sorted(set(tags)) if tag in present or _snap_of(tag) not in absent]
    found: list[Finding] = []
    for tag in wanted:
        found += _judge_tag(end.seen, tag, present.get(tag), known)
    yield from found
    if all(finding.outcome != Outcome.VIOLATED for finding in found):
        yield from _doubts(end.seen)


def _snap_of(tag: str) -> str:
    return tag.split(".")[1] if tag.count(".") > 1 else tag


def _judge_tag(seen: SeenLook, tag: str, service: ServiceSeen | None, known: Knowledge) -> Iterator[Finding]:
    snapd = seen.look.snapd
    if service is None:
        yield _unproven(seen, tag, "unseen", f"the look does not list {tag}: is the snap installed?")
    elif snapd is None or not snapd.build_id:
        yield _unproven(seen, tag, "unseen", f"{tag} cannot be judged: which snapd runs was not seen")
    elif not service.processes:
        yield judge_dead(NAME, seen, service, known.authors, snapd.build_id)
    else:
        yield from _judge_processes(_Scene(seen, snapd, known), service)


def _judge_processes(scene: _Scene, service: ServiceSeen) -> Iterator[Finding]:
    read = confinement.read(scene.seen, service, scene.snapd, scene.known)
    groups: dict[tuple[object, ...], list[Confinement]] = {}
    for one in read:
        key = (one.kind, one.earlier is None, *((part.state, part.authors) for part in one.parts))
        groups.setdefault(key, []).append(one)
    for group in groups.values():
        yield _finding(scene, service.tag, group)
    if not any(one.process.main for one in read) and service.unit.main_pid:
        yield _unproven(scene.seen, service.tag, "unseen", f"{service.tag}'s main process was not seen")


def _finding(scene: _Scene, tag: str, group: list[Confinement]) -> Finding:
    first = group[0]
    return Finding(
        invariant=NAME,
        outcome=_outcome(first),
        kind=str(first.kind),
        subject=tag,
        boot=scene.boot,
        summary=f"{tag} ({_who(group)}) {_summary(scene, first)}",
        author=_author(scene, first),
        evidence=tuple(dict.fromkeys(_evidence(scene, tag, group))),
        known_by=tuple(sorted({way for part in first.parts for way in part.known_by})),
    )


def _outcome(one: Confinement) -> Outcome:
    if one.kind == Class.MIXED:
        return Outcome.HELD if one.earlier else Outcome.UNPROVEN
    return _OUTCOMES[one.kind]


def _who(group: list[Confinement]) -> str:
    names = ["main process" if one.process.main else f"child {one.process.pid}" for one in group]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _summary(scene: _Scene, one: Confinement) -> str:
    runs = f"while snapd {scene.runs} runs"
    says = "; ".join(part.says for part in one.parts if part.state != State.FRESH)
    fresh = " and ".join(part.what for part in one.parts if part.state == State.FRESH)
    match one.kind:
        case Class.FRESH:
            return f"runs under policy of the snapd that runs, {scene.runs}"
        case Class.STALE:
            return f"runs under stale policy {runs}: {says}" + (f"; its {fresh} is fresh" if fresh else "")
        case Class.MIXED:
            began = "under the snapd of then" if one.earlier else "before any look of this boot"
            return f"began {began} and goes on {runs}: {says}; its {fresh} was replaced"
        case Class.WAITING:
            return f"had not executed yet: the process is still {one.process.exe.rpartition('/')[2]}"
        case Class.UNCONFINED:
            return f"is not confined as it should be {runs}: {says}"
        case Class.MISSING:
            return f"runs without any policy {runs}: {says}"
        case Class.UNSEEN:
            return f"could not be judged {runs}: {says or one.process.problem}"


def _author(scene: _Scene, one: Confinement) -> str:
    """The core that made what is stale, else who made what is there."""
    wanted = State.FRESH if one.kind == Class.FRESH else State.STALE
    authors = (author for part in one.parts if part.state == wanted for author in part.authors)
    return next((core for author in authors if (core := scene.known.builds.core(author))), "")


def _evidence(scene: _Scene, tag: str, group: list[Confinement]) -> Iterator[Evidence]:
    snapd = scene.snapd
    yield witness(scene.seen, f"snapd {scene.runs} runs: {snapd.exe}, build id {snapd.build_id}")
    for one in group:
        exe = one.process.exe.rpartition("/")[2]
        label = (
            f"{one.process.label} ({one.process.label_mode})" if one.process.label_mode else one.process.label
        )
        yield witness(scene.seen, f"{tag}: process {one.process.pid} is {exe}, label {label}")
        if one.earlier:
            yield one.earlier
    for part in group[0].parts:
        yield from part.proof


def _doubts(seen: SeenLook) -> Iterator[Finding]:
    """A look that came too early or could not read everything proves nothing by finding nothing."""
    if seen.look.unsettled:
        still = ", ".join(seen.look.unsettled[:3])
        yield _unproven(seen, "guest", "unsettled", f"the guest had not settled at the boot's end: {still}")
    for problem in seen.look.problems:
        yield _unproven(seen, "look", "unseen", f"the look is not whole: {problem}")


def _unproven(seen: SeenLook, subject: str, kind: str, summary: str) -> Finding:
    evidence = (witness(seen, summary),)
    return Finding(NAME, Outcome.UNPROVEN, kind, subject, seen.taken.boot, summary, evidence=evidence)
