# SPDX-License-Identifier: GPL-3.0-only
"""Everything that a run teaches about policy, gathered once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.model.plan import Action, Boot, InstallSnap, Look, Plan, RebootGuest, RevertSnap, StartChange
from harness.model.timeline import SeenLook, Timeline
from harness.policy.authorship import Authorship, learn
from harness.policy.builds import Builds

_CORE = "core"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Who makes what, what builds are called, and what a boot was before a look.

    `looks` are those of each boot in order. `replaced` gives, by the number of a look's step, the cores
    that the steps replaced earlier in that same boot.
    """

    authors: Authorship
    builds: Builds
    looks: Mapping[int, tuple[SeenLook, ...]]
    replaced: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, timeline: Timeline) -> Knowledge:
        """Learn it from all of a run."""
        builds = Builds.of(timeline)
        looks = {
            boot.number: tuple(sorted(boot.looks, key=lambda seen: seen.line)) for boot in timeline.boots
        }
        return cls(learn(timeline, builds), builds, looks, dict(_replaced(timeline.plan)))

    def before(self, seen: SeenLook) -> tuple[SeenLook, ...]:
        """The looks of the same boot that came before this one."""
        return tuple(other for other in self.looks.get(seen.taken.boot, ()) if other.line < seen.line)


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
