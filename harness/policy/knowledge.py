# SPDX-License-Identifier: GPL-3.0-only
"""Everything that a run teaches about policy, gathered once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.model.clock import GuestTime
from harness.model.observation import ProcessSeen, WordsSeen
from harness.model.plan import Action, Boot, InstallSnap, Look, Plan, RebootGuest, RevertSnap, StartChange
from harness.model.timeline import RECORDING, SeenLook, Timeline
from harness.policy.authorship import NOTHING, Authorship, learn
from harness.policy.builds import Builds
from harness.policy.daemons import Daemons, daemons_by_boot
from harness.policy.disk import Disk
from harness.policy.earlier import learnt_from
from harness.policy.happened import Happened, Placed, by_boot
from harness.policy.launcher_profiles import LauncherProfiles
from harness.policy.references import references_of
from harness.policy.system_key import SystemKeys
from harness.policy.text_profiles import with_programs
from harness.policy.writers import Writers

_CORE = "core"

_latest: list[tuple[Timeline, Knowledge]] = []


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Who makes what, what builds are called, and what happened when.

    `timeline` is the one that it was learnt from, in which texts have the programs that were made of them.
    `looks` are those of each boot in order, `appearances` where each process was looked at, `words` what
    each process said, by boot and pid. `replaced` gives, by the number of a look's step, the cores that the
    steps replaced earlier in that same boot.
    """

    timeline: Timeline
    authors: Authorship
    builds: Builds
    looks: Mapping[int, tuple[SeenLook, ...]]
    appearances: Mapping[tuple[int, str, int, GuestTime], Sequence[tuple[SeenLook, ProcessSeen]]]
    words: Mapping[tuple[int, int], Sequence[Placed[WordsSeen]]]
    replaced: Mapping[str, frozenset[str]]
    happened: Mapping[int, Happened]
    daemons: Mapping[int, Daemons]
    writers: Writers
    disk: Disk
    keys: SystemKeys
    launchers: LauncherProfiles

    @classmethod
    def of(cls, timeline: Timeline) -> Knowledge:
        """Learn it from all of a run; of that timeline again, or of its own, it is what was learnt before.

        Who makes what is learnt from the run that was cut as well, if it is the boot after a cut.
        """
        for learnt_of, knowledge in _latest:
            if timeline is learnt_of or timeline is knowledge.timeline:
                return knowledge
        knowledge = cls._learn(timeline)
        _latest[:] = [(timeline, knowledge)]
        return knowledge

    @classmethod
    def _learn(cls, timeline: Timeline) -> Knowledge:
        timeline = with_programs(timeline)
        cut = timeline.recording
        builds = Builds.of(replace(timeline, boots=(*(cut.boots if cut else ()), *timeline.boots)))
        before = learnt_from(cls._learn(cut).authors, RECORDING) if cut else NOTHING
        looks = {boot.number: tuple(sorted(boot.looks, key=_line)) for boot in timeline.boots}
        ordered = tuple(seen for boot in sorted(looks) for seen in looks[boot])
        happened = by_boot(timeline.boots)
        daemons = daemons_by_boot(happened, looks)
        writers = Writers.of(happened, daemons, builds)
        return cls(
            timeline=timeline,
            authors=replace(
                learn(timeline, builds, writers, before), references=references_of(timeline, builds)
            ),
            builds=builds,
            looks=looks,
            appearances=_appearances(ordered),
            words=_words(ordered),
            replaced=dict(_replaced(timeline.plan)),
            happened=happened,
            daemons=daemons,
            writers=writers,
            disk=Disk.of(ordered, happened),
            keys=SystemKeys.of(ordered, happened, writers, timeline),
            launchers=LauncherProfiles.of(happened, daemons, builds),
        )


def _line(seen: SeenLook) -> int:
    return seen.line


def _appearances(
    looks: Iterable[SeenLook],
) -> Mapping[tuple[int, str, int, GuestTime], Sequence[tuple[SeenLook, ProcessSeen]]]:
    found: dict[tuple[int, str, int, GuestTime], list[tuple[SeenLook, ProcessSeen]]] = {}
    for seen in looks:
        for service in seen.look.services:
            for process in service.processes:
                key = (seen.taken.boot, service.tag, process.pid, process.started)
                found.setdefault(key, []).append((seen, process))
    return found


def _words(looks: Iterable[SeenLook]) -> Mapping[tuple[int, int], Sequence[Placed[WordsSeen]]]:
    """Each line once: later looks of a boot show what earlier ones showed."""
    found: dict[tuple[int, int], dict[WordsSeen, int]] = {}
    for seen in looks:
        for words in seen.look.words:
            found.setdefault((seen.taken.boot, words.pid), {}).setdefault(words, seen.line)
    return {key: [Placed(line, words) for words, line in said.items()] for key, said in found.items()}


def _replaced(plan: Plan) -> Iterator[tuple[str, frozenset[str]]]:
    core = ""
    gone: set[str] = set()
    for step in plan.steps:
        match step.action:
            case Boot() | RebootGuest():
                gone = set()
            case Look(expects_core=expected):
                core = expected
                yield step.number, frozenset(gone)
            case action if core and _replaces_core(action):
                gone.add(core)
            case _:
                pass


def _replaces_core(action: Action) -> bool:
    match action:
        case StartChange(change):
            return _replaces_core(change)
        case InstallSnap(ref):
            return ref.snap == _CORE
        case RevertSnap(snap):
            return snap == _CORE
        case _:
            return False
