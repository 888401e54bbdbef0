# SPDX-License-Identifier: GPL-3.0-only
"""Every start of a service that a run saw, with what it runs under and the finding that judges it.

A start that the witness saw has the moment of its execution. One that only a look tells of has the moment
its process was forked, which is before the launcher waited for snapd, and is `seen_late`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.model.clock import GuestTime
from harness.model.observation import LoadedProfile, ProcessSeen
from harness.model.occurrence import Started
from harness.model.timeline import BootRecord, SeenLook, Timeline
from harness.model.verdict import Outcome
from harness.policy.apparmor import digest_of
from harness.policy.builds import short
from harness.policy.confinement import is_waiting
from harness.policy.kind import COMPILED_SECCOMP, GLOBAL
from harness.policy.knowledge import Knowledge
from harness.policy.part import authors_of
from harness.report.numbered import FROM_WORST, Numbered, lines_named, processes_named
from harness.report.writes import APPARMOR, SECCOMP

WITNESS = "witness.jsonl"
UNKNOWN = "an unknown snapd"
# Others speak of a service too, but of what lies on disk for it or of how its unit is.
_ABOUT_STARTS = (
    "policy-from-running-snapd",
    "services-after-policy",
    "revert-restores-policy",
    "twin-agrees",
)


@dataclass(frozen=True, slots=True)
class Start:
    """A service's process `pid` from its execution on; `until` is when its confinement had been read.

    `filters` and `profile` are the digests of what confines it, `seccomp` and `apparmor` the names of the
    snapds that make that. `finding` is the worst that names this start, None when none does.
    """

    boot: int
    at: GuestTime
    until: GuestTime
    tag: str
    pid: int
    exe: str
    line: int
    filters: tuple[str, ...]
    profile: str
    seccomp: tuple[str, ...] = ()
    apparmor: tuple[str, ...] = ()
    seen_late: bool = False
    finding: Numbered | None = None

    @property
    def violated(self) -> int:
        """The number of the finding that says VIOLATED of it, else 0."""
        return self.finding.violated if self.finding else 0

    @property
    def kind(self) -> str:
        """The class that a finding gives it, empty when none does."""
        return self.finding.finding.kind if self.finding else ""

    @property
    def author(self) -> str:
        """Whose policy it runs under: what its finding says, else what is known of its parts."""
        named = self.finding.finding.author if self.finding else ""
        both = set(self.seccomp) & set(self.apparmor)
        return named or "/".join(sorted(both or {*self.seccomp, *self.apparmor}))

    @property
    def place(self) -> str:
        """Where it stands in the record."""
        return f"{WITNESS}:{self.line}"


def starts(
    timeline: Timeline, known: Knowledge, findings: Iterable[Numbered]
) -> dict[int, tuple[Start, ...]]:
    """The starts of each boot, in the order of its clock."""
    judged: dict[tuple[int, str], list[Numbered]] = defaultdict(list)
    for one in findings:
        if one.finding.invariant in _ABOUT_STARTS:
            judged[one.finding.boot, one.finding.subject].append(one)
    found = {}
    for boot in timeline.boots:
        plain = [*_of_occurrences(boot, known), *_of_looks(boot, known)]
        found[boot.number] = tuple(sorted(_judged(plain, boot.number, judged), key=lambda start: start.at))
    return found


def _of_occurrences(boot: BootRecord, known: Knowledge) -> Iterator[Start]:
    for seen in boot.occurrences:
        if isinstance(seen.occurrence, Started):
            one = seen.occurrence
            start = _start(boot.number, seen.line, one.tag, one.process, one.profile, known)
            yield replace(start, at=one.at, until=max(one.at, one.read_at), pid=one.pid, exe=one.exe)


def _of_looks(boot: BootRecord, known: Knowledge) -> Iterator[Start]:
    told = {seen.occurrence.pid for seen in boot.occurrences if isinstance(seen.occurrence, Started)}
    for seen in boot.looks:
        for tag, process in main_processes(seen):
            if process.pid not in told and not is_waiting(process, tag):
                told.add(process.pid)
                profiles = [profile for profile in seen.look.profiles if profile.name == tag]
                profile = profiles[0] if len(profiles) == 1 else None
                start = _start(boot.number, seen.line, tag, process, profile, known)
                yield replace(start, until=max(process.started, seen.look.at), seen_late=True)


def main_processes(seen: SeenLook) -> Iterator[tuple[str, ProcessSeen]]:
    """The main process of every service that had one at a look."""
    for service in seen.look.services:
        yield from ((service.tag, process) for process in service.processes if process.main)


def _start(
    boot: int,
    line: int,
    tag: str,
    process: ProcessSeen | None,
    profile: LoadedProfile | None,
    known: Knowledge,
) -> Start:
    filters = tuple(one.sha256 for one in process.filters) if process else ()
    confined = process is not None and profile is not None and process.label.startswith(profile.name)
    at = process.started if process else GuestTime(0)
    return Start(
        boot=boot,
        at=at,
        until=at,
        tag=tag,
        pid=process.pid if process else 0,
        exe=process.exe if process else "",
        line=line,
        filters=filters,
        profile=digest_of(profile) if confined and profile else "",
        seccomp=_makers(known, tag, filters),
        apparmor=_names(known, authors_of(known.authors.of_profile(profile))) if confined and profile else (),
    )


def _makers(known: Knowledge, tag: str, filters: Iterable[str]) -> tuple[str, ...]:
    """The snapds that make every one of these filters; when none makes all, those that make any."""
    places = [(kind, name) for kind in COMPILED_SECCOMP for name in (tag, GLOBAL)]
    makers = [
        {claim.build for kind, name in places for claim in known.authors.of_digest(kind, name, digest)}
        for digest in filters
    ]
    every = set.intersection(*makers) if makers else set()
    return _names(known, sorted(every or set().union(*makers)))


def _names(known: Knowledge, builds: Iterable[str]) -> tuple[str, ...]:
    return tuple(known.builds.name(build) for build in builds)


def _judged(
    plain: Sequence[Start], boot: int, judged: Mapping[tuple[int, str], list[Numbered]]
) -> Iterator[Start]:
    """Give each start the worst finding that names it; see `_named`."""
    of_tag: dict[str, list[Start]] = defaultdict(list)
    for start in plain:
        of_tag[start.tag].append(start)
    for tag, of_one in of_tag.items():
        named: dict[int, list[Numbered]] = defaultdict(list)
        for one in judged.get((boot, tag), ()):
            for index in _named(one, of_one):
                named[index].append(one)
        for index, start in enumerate(of_one):
            yield replace(start, finding=min(named[index], key=_worst_first)) if named[index] else start


def _named(one: Numbered, of_one: Sequence[Start]) -> Iterator[int]:
    """Starts whose process the finding speaks of, else whose line it rests on.

    A violation that names no process of the service is shown at its last start of the boot, rather than
    nowhere. One that names processes none of which is a start is of launchers that gave up.
    """
    pids, lines = processes_named(one.finding), lines_named(one.finding, WITNESS)
    by_process = [i for i, start in enumerate(of_one) if start.pid in pids]
    by_line = [i for i, start in enumerate(of_one) if start.line in lines]
    own = any(e.says.startswith(f"{one.finding.subject}: process ") for e in one.finding.evidence)
    last = [len(of_one) - 1] if one.finding.outcome == Outcome.VIOLATED and not own else []
    yield from by_process or by_line or last


def _worst_first(one: Numbered) -> tuple[int, int]:
    return FROM_WORST.index(one.finding.outcome), one.number


def telling(starts: Sequence[Start], most: int) -> tuple[Start, ...]:
    """At most so many, in their order; the violated ones before others."""
    order = sorted(range(len(starts)), key=lambda i: (not starts[i].violated, i))
    return tuple(starts[i] for i in sorted(order[:most]))


def describe(start: Start) -> tuple[tuple[str, str], tuple[str, str]]:
    """Who made what it runs under: each part's name, and what there is to say of it."""
    seccomp = "/".join(start.seccomp) or UNKNOWN
    apparmor = "/".join(start.apparmor) or UNKNOWN
    filters = f"seccomp {short(start.filters[0])} of {seccomp}" if start.filters else "no seccomp filter seen"
    profile = (
        f"AppArmor {short(start.profile)} of {apparmor}" if start.profile else "no AppArmor profile seen"
    )
    return (SECCOMP, filters), (APPARMOR, profile)
