# SPDX-License-Identifier: GPL-3.0-only
"""Every start of a snap's service has the mounts that the running snapd's mount profile lists, and no others.

Device control is told beside it and not judged (harness/policy/mounts.py says why). A snap with classic
confinement has no mount namespace to judge, so its starts stay UNPROVEN; `services` can leave them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.invariant.every_start import Group, grouped, judge_executed
from harness.model.timeline import BootRecord, Timeline
from harness.model.verdict import Evidence, Finding, Outcome
from harness.policy.authorship import WITNESS
from harness.policy.builds import short
from harness.policy.knowledge import Knowledge
from harness.policy.mounts import MountClass, MountsRead, read_mounts
from harness.policy.start_class import Judged

NAME = "mounts-match-profile"

_OUTCOMES: Mapping[MountClass, Outcome] = {
    MountClass.AS_DESIRED: Outcome.HELD,
    MountClass.STALE: Outcome.VIOLATED,
    MountClass.FOREIGN: Outcome.VIOLATED,
    MountClass.ABSENT: Outcome.VIOLATED,
    MountClass.UNSEEN: Outcome.UNPROVEN,
}


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Judge every start of the services in `services` (all of the plan's when empty)."""
    tags = parameters.get("services") or timeline.plan.services
    known = Knowledge.of(timeline)

    def say(boot: BootRecord, tag: str, starts: Sequence[Judged]) -> Iterator[Finding]:
        return (_finding(boot, tag, group, known) for group in _alike(boot, starts, known))

    return judge_executed(NAME, timeline, tags, known, say)


def _alike(boot: BootRecord, told: Iterable[Judged], known: Knowledge) -> tuple[Group, ...]:
    def key(one: Judged) -> object:
        return read_mounts(boot.number, one, known), one.daemon.build if one.daemon else ""

    return grouped(told, key)


def _finding(boot: BootRecord, tag: str, group: Group, known: Knowledge) -> Finding:
    read, daemon = read_mounts(boot.number, group.first, known), group.first.daemon
    runs = known.builds.name(daemon.build) if daemon else "unknown"
    return Finding(
        invariant=NAME,
        outcome=_OUTCOMES[read.kind],
        kind=str(read.kind),
        subject=tag,
        boot=boot.number,
        summary=f"{tag} started {group.times} {_says(read, runs)}",
        author=_author(read, known),
        evidence=tuple(dict.fromkeys((*_evidence(group, runs), *read.proof))),
        known_by=read.known_by,
    )


def _author(read: MountsRead, known: Knowledge) -> str:
    authors = () if read.kind == MountClass.UNSEEN else read.authors
    return next((core for author in authors if (core := known.builds.core(author))), "")


def _says(read: MountsRead, runs: str) -> str:
    match read.kind:
        case MountClass.AS_DESIRED:
            return f"with the mounts that snapd {runs}, which runs, lists: {read.says}"
        case MountClass.STALE:
            return f"with stale mounts while snapd {runs} runs: {read.says}"
        case MountClass.FOREIGN:
            return f"with mounts that no snapd asked for while snapd {runs} runs: {read.says}"
        case MountClass.ABSENT:
            return f"without mounts that it must have while snapd {runs} runs: {read.says}"
        case MountClass.UNSEEN:
            return f"and its mounts could not be judged: {read.says}"


def _evidence(group: Group, runs: str) -> Iterator[Evidence]:
    daemon = group.first.daemon
    if daemon:
        exe = daemon.exe or "of an unknown program"
        yield Evidence(WITNESS, daemon.line, f"snapd {runs} runs: process {daemon.pid}, {exe}")
    for one in group.shown:
        yield from one.proof
        start = one.attempt.start
        profile = start.of.mount_profile if start else None
        if start and profile:
            desired, current = (short(each) or "none" for each in (profile.desired, profile.current))
            says = (
                f"{start.of.tag}: process {start.of.pid}: desired mount profile {desired}, "
                f"current {current}, namespace {profile.namespace}, devices {start.of.device or 'none'}"
            )
            yield Evidence(WITNESS, start.line, says)
