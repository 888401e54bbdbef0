# SPDX-License-Identifier: GPL-3.0-only
"""Every start of every boot, for the first claim: what each came to, and whether all of them were seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from harness.invariant.ends import witness
from harness.model.clock import SECOND, GuestTime, seconds
from harness.model.occurrence import Lost, Source, UnitChanged, Watching
from harness.model.timeline import BootRecord, SeenLook, Timeline
from harness.model.verdict import Evidence, Finding, Outcome
from harness.policy.authorship import WITNESS
from harness.policy.confinement import is_waiting
from harness.policy.happened import Happened, Placed
from harness.policy.knowledge import Knowledge
from harness.policy.part import State
from harness.policy.start_class import Judged, StartClass, classify, foreign_authors
from harness.policy.starts import UNTOLD, Attempt, attempts_of, restarts_unseen
from harness.policy.system_key import Guard

_OUTCOMES: Mapping[StartClass, Outcome] = {
    StartClass.FRESH: Outcome.HELD,
    StartClass.LUCKY: Outcome.HELD,
    StartClass.STALE: Outcome.VIOLATED,
    StartClass.UNCONFINED: Outcome.VIOLATED,
    StartClass.MISSING: Outcome.VIOLATED,
    StartClass.BROKEN: Outcome.VIOLATED,
    StartClass.UNSEEN: Outcome.UNPROVEN,
    StartClass.DEAD: Outcome.UNPROVEN,
    StartClass.WAITING: Outcome.UNPROVEN,
}
_EXPLAINED = (StartClass.MISSING, StartClass.BROKEN)
"""What a launcher that never executed its service came to, where it is known that it did not."""
_NEEDED = (Source.EXECS, Source.STARTS)
_MOST_TIMES = 3


@dataclass(frozen=True, slots=True)
class JudgedStarts:
    """What each attempt of a boot came to, by service, and what is not known of them (`doubts`)."""

    doubts: tuple[Finding, ...]
    starts: Mapping[str, tuple[Judged, ...]]


def judged_starts(invariant: str, boot: BootRecord, tags: Iterable[str], known: Knowledge) -> JudgedStarts:
    """Every attempt of a boot that counts as a start or should have been one."""
    attempts = attempts_of(known.happened[boot.number], tags)
    doubts = list(_gaps(invariant, boot, attempts, known))
    read = {
        attempt.pid for of_tag in attempts.values() for attempt in of_tag if attempt.start and attempt.tag
    }
    starts = {}
    for tag, of_tag in attempts.items():
        if tag == UNTOLD:
            doubts += [_untold(invariant, boot.number, one) for one in of_tag if one.pid not in read]
            continue
        doubts += _unseen(invariant, boot, tag, of_tag, known)
        judged = (classify(boot.number, attempt, known) for attempt in of_tag)
        starts[tag] = tuple(one for one in judged if _counts(one, boot))
    return JudgedStarts(tuple(doubts), starts)


def judge_executed(
    invariant: str,
    timeline: Timeline,
    tags: Iterable[str],
    known: Knowledge,
    say: Callable[[BootRecord, str, Sequence[Judged]], Iterable[Finding]],
) -> tuple[Finding, ...]:
    """What `say` finds of each service's starts in each boot, and what is not known of them.

    A launcher that is known not to have executed its service is no start here. Nothing at all is UNPROVEN.
    """
    findings: list[Finding] = []
    for boot in timeline.boots:
        if not boot.occurrences:
            findings.append(_nobody_watched(invariant, boot))
            continue
        judged = judged_starts(invariant, boot, tags, known)
        findings += judged.doubts
        for tag, of_tag in judged.starts.items():
            told = [one for one in of_tag if one.kind not in _EXPLAINED or one.attempt.start]
            findings += say(boot, tag, told)
    says = "no start of a service was seen"
    return tuple(findings) or (Finding(invariant, Outcome.UNPROVEN, "nothing-to-judge", invariant, 0, says),)


def judge_starts(
    invariant: str, boot: BootRecord, tags: Iterable[str], known: Knowledge, *, strict: bool
) -> Iterator[Finding]:
    """The findings about one boot; of a boot in which nobody watched, no start is proven."""
    if not boot.occurrences:
        yield _nobody_watched(invariant, boot)
        return
    judged = judged_starts(invariant, boot, tags, known)
    yield from judged.doubts
    for tag, of_tag in judged.starts.items():
        for group in grouped(of_tag, _alike):
            yield _finding(invariant, boot.number, tag, group, known, strict)


def _counts(one: Judged, boot: BootRecord) -> bool:
    """What still waited when its boot was cut short, or when it was going down, was no start."""
    if one.kind == StartClass.WAITING:
        end = boot.end_look
        return end is not None and one.attempt.begun <= end.look.at
    return one.kind != StartClass.STOPPED


# -- what was not watched


def _gaps(
    invariant: str, boot: BootRecord, attempts: Mapping[str, Sequence[Attempt]], known: Knowledge
) -> Iterator[Finding]:
    happened = known.happened[boot.number]
    first = _first_start(boot, attempts)
    for source in _NEEDED:
        watching = happened.watching.get(source)
        if watching is None:
            yield _gap(invariant, boot.number, f"nobody says since when {source} were watched")
        elif first is not None and watching.of.since > first:
            yield _late(invariant, boot.number, watching, first)
    for lost in happened.lost:
        if lost.of.source in (*_NEEDED, Source.FILES):
            yield _lost(invariant, boot.number, lost)


def _first_start(boot: BootRecord, attempts: Mapping[str, Sequence[Attempt]]) -> GuestTime | None:
    begun = (attempt.begun for of_tag in attempts.values() for attempt in of_tag)
    looked = (
        process.started
        for seen in boot.looks
        for service in seen.look.services
        if service.tag in attempts
        for process in service.processes
    )
    return min(chain(begun, looked), default=None)


def _late(invariant: str, boot: int, watching: Placed[Watching], first: GuestTime) -> Finding:
    one = watching.of
    says = f"{one.source} were watched from {seconds(one.since)} on; a service began at {seconds(first)}"
    return _gap(invariant, boot, says, (Evidence(WITNESS, watching.line, says),))


def _lost(invariant: str, boot: int, lost: Placed[Lost]) -> Finding:
    one = lost.of
    says = (
        f"{one.source} between {seconds(one.since)} and {seconds(one.at)} may not have been seen: {one.why}"
    )
    return _gap(invariant, boot, says, (Evidence(WITNESS, lost.line, says),))


def _nobody_watched(invariant: str, boot: BootRecord) -> Finding:
    return _gap(invariant, boot.number, "nobody watched services start")


def _gap(invariant: str, boot: int, says: str, evidence: tuple[Evidence, ...] = ()) -> Finding:
    summary = f"boot {boot}: {says}"
    return Finding(invariant, Outcome.UNPROVEN, "gap", f"boot {boot}", boot, summary, evidence=evidence)


# -- what others tell of, and no start


def _untold(invariant: str, boot: int, attempt: Attempt) -> Finding:
    says = f"process {attempt.pid} was launched at {seconds(attempt.begun)}; whose service it is, nobody told"
    return _open(invariant, boot, f"process {attempt.pid}", says, (Evidence(WITNESS, attempt.line, says),))


def _unseen(
    invariant: str, boot: BootRecord, tag: str, attempts: Sequence[Attempt], known: Knowledge
) -> Iterator[Finding]:
    starts = {attempt.start.of.pid for attempt in attempts if attempt.start}
    told: set[int] = set()
    for seen in boot.looks:
        for pid in _roots(seen, tag):
            if pid not in starts and pid not in told:
                told.add(pid)
                says = f"{tag}: nobody saw process {pid} execute, which runs at {seconds(seen.look.at)}"
                yield _open(invariant, boot.number, tag, says, (witness(seen, says),))
    changes = _unit_changes(known.happened[boot.number], tag)
    missing = restarts_unseen(attempts, changes)
    if missing > 0:
        says = f"{tag}: systemd tells of {missing} more starts than were seen"
        yield _open(invariant, boot.number, tag, says, (Evidence(WITNESS, changes[-1].line, says),))


def _unit_changes(happened: Happened, tag: str) -> Sequence[Placed[UnitChanged]]:
    return happened.units.get(f"{tag}.service", [])


def _roots(seen: SeenLook, tag: str) -> Iterator[int]:
    """The processes of a service that no other one of its processes forked."""
    for service in seen.look.services:
        if service.tag == tag:
            pids = {process.pid for process in service.processes}
            for process in service.processes:
                if process.ppid not in pids and not is_waiting(process, tag):
                    yield process.pid


def _open(invariant: str, boot: int, tag: str, says: str, evidence: tuple[Evidence, ...]) -> Finding:
    return Finding(invariant, Outcome.UNPROVEN, "unseen", tag, boot, says, evidence=evidence)


# -- starts


@dataclass(frozen=True, slots=True)
class Group:
    """Starts of one service of which the same is to be said."""

    all: tuple[Judged, ...]

    @property
    def first(self) -> Judged:
        """One of them, for what they have in common."""
        return self.all[0]

    @property
    def shown(self) -> tuple[Judged, ...]:
        """Those of which the evidence is shown."""
        return self.all[:_MOST_TIMES]

    @property
    def times(self) -> str:
        """When they executed, for people."""
        more = f" and {len(self.all) - _MOST_TIMES} times more" if len(self.all) > _MOST_TIMES else ""
        return f"at {', '.join(seconds(one.at) for one in self.shown)}{more}"


def grouped(judged: Iterable[Judged], alike: Callable[[Judged], object]) -> tuple[Group, ...]:
    """Put starts together for which `alike` gives the same."""
    groups: dict[object, list[Judged]] = {}
    for one in judged:
        groups.setdefault(alike(one), []).append(one)
    return tuple(Group(tuple(group)) for group in groups.values())


def _alike(one: Judged) -> tuple[object, ...]:
    parts = tuple((part.state, part.authors, part.digests) for part in one.parts)
    return one.kind, one.daemon.build if one.daemon else "", one.early, one.guard, one.why, parts


def _finding(invariant: str, boot: int, tag: str, group: Group, known: Knowledge, strict: bool) -> Finding:
    first = group.first
    return Finding(
        invariant=invariant,
        outcome=_strictly(first) if strict else _OUTCOMES[first.kind],
        kind=str(first.kind),
        subject=tag,
        boot=boot,
        summary=f"{tag} {_summary(group, known)}",
        author=_author(first, known),
        evidence=tuple(dict.fromkeys(_evidence(group, known))),
        known_by=tuple(sorted({way for part in first.parts for way in part.known_by})),
    )


def _strictly(one: Judged) -> Outcome:
    """Under `strict: ordering` a start must be shown to have waited, or to have had nothing to wait for."""
    if one.kind not in (StartClass.FRESH, StartClass.LUCKY) or one.early is False:
        return _OUTCOMES[one.kind]
    if one.guard == Guard.CONFIRMED:
        return Outcome.HELD
    return Outcome.VIOLATED if one.early and one.guard == Guard.NONE else Outcome.UNPROVEN


def _summary(group: Group, known: Knowledge) -> str:
    first = group.first
    when = group.times
    runs = known.builds.name(first.daemon.build) if first.daemon else "unknown"
    says = "; ".join(part.says for part in first.parts if part.state != State.FRESH)
    match first.kind:
        case StartClass.FRESH:
            return f"started {when} under policy of the snapd that runs, {runs}{_ordering(first)}"
        case StartClass.LUCKY:
            return f"started {when} under policy of the snapd that runs, {runs}, by luck{_ordering(first)}"
        case StartClass.STALE:
            return f"started {when} under stale policy while snapd {runs} runs: {says}"
        case StartClass.UNCONFINED:
            return f"started {when} and was not confined as it should be while snapd {runs} runs: {says}"
        case StartClass.MISSING if first.parts:
            return f"started {when} without any policy while snapd {runs} runs: {says}"
        case StartClass.UNSEEN:
            return f"started {when}, which could not be judged: {says or first.why}"
        case _:
            return f"was to start {when}: {first.why}"


def _ordering(one: Judged) -> str:
    if one.early is False:
        return f", {seconds(one.waited)} after its launcher began" if one.waited >= SECOND else ""
    ready = "before READY" if one.early else "and READY was not seen"
    match one.guard:
        case Guard.NONE:
            return f": it executed {ready}, and no system-key of that build would have held it back"
        case Guard.UNKNOWN:
            return f": it executed {ready}, and which system-key was in place is not known"
        case Guard.CONFIRMED | Guard.BELIEVED:
            return f": it executed {ready}, with the system-key of that build in place"


def _author(one: Judged, known: Knowledge) -> str:
    if one.kind in (StartClass.FRESH, StartClass.LUCKY) and one.daemon:
        return known.builds.core(one.daemon.build)
    return next((core for author in foreign_authors(one) if (core := known.builds.core(author))), "")


def _evidence(group: Group, known: Knowledge) -> Iterator[Evidence]:
    first = group.first
    if first.daemon:
        exe = first.daemon.exe or "of an unknown program"
        says = f"snapd {known.builds.name(first.daemon.build)} runs: process {first.daemon.pid}, {exe}"
        yield Evidence(WITNESS, first.daemon.line, says)
    for one in group.shown:
        yield from one.proof
    for part in first.parts:
        yield from part.proof
