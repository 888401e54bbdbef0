# SPDX-License-Identifier: GPL-3.0-only
"""The run of one state that a sweep found: the boot after the cut, and what can be told from it alone.

Which core's snapd will run is not known: a cut in the middle of a change leaves a change that snapd goes on
with, or undoes. So nothing is expected of that, and policy is held against whichever snapd runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.model.change import change_of
from harness.model.invariants import INVARIANTS
from harness.model.plan import (
    Action,
    Boot,
    Check,
    InstallSnap,
    Look,
    Plan,
    PlannedInvariant,
    PlannedStep,
    RemoveSnap,
)
from harness.model.sweep import CutOf, DistinctState
from harness.scenario.sweep import judged_after_cut

REASON = "at the boot after the cut"


def after_cut(plan: Plan, recording: str, state: DistinctState) -> Plan:
    """The boot after this state's cut of the plan's swept step; `recording` names the run it is of."""
    there = _installed(plan)
    invariants = tuple(each for each in plan.invariants if judged_after_cut(each.name))
    return replace(
        plan,
        services=tuple(tag for tag in plan.services if _snap_of(tag) in there.all),
        steps=tuple(_steps(plan, tuple(_checks(plan, invariants, there)), invariants)),
        invariants=invariants,
        controls=(),
        sweep=None,
        cut=CutOf(recording, state.cut, state.states, state.key, tuple(sorted(there.unsure))),
    )


@dataclass(frozen=True, slots=True)
class _Installed:
    """The snaps that are there at the cut, and those that may be."""

    surely: frozenset[str]
    unsure: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.surely | self.unsure


def _installed(plan: Plan) -> _Installed:
    there: set[str] = set()
    for step in plan.steps:
        installs, removes = _changed(step.action)
        if plan.sweep and step.number == plan.sweep.step:
            unsure = {snap for snap in (installs, removes) if snap} - (there - {removes})
            return _Installed(frozenset(there - unsure), frozenset(unsure))
        there.add(installs)
        there.discard(removes)
        there.discard("")
    return _Installed(frozenset(there), frozenset())


def _changed(action: Action) -> tuple[str, str]:
    """The snap that is installed and the one that is removed, or empty texts."""
    change = change_of(action)
    match change:
        case InstallSnap(ref):
            return ref.snap, ""
        case RemoveSnap(snap):
            return "", snap
        case _:
            return "", ""


def _snap_of(tag: str) -> str:
    return tag.split(".")[1]


def _checks(plan: Plan, invariants: tuple[PlannedInvariant, ...], there: _Installed) -> Iterator[Check]:
    """Those whose snap is there; what no snap of the plan provides comes with the image."""
    ours = {ref.snap for ref in plan.snaps}
    for each in invariants:
        spec = INVARIANTS[each.name]
        if spec.check and (spec.snap not in ours or spec.snap in there.surely):
            yield Check(spec.check, {name: " ".join(texts) for name, texts in each.parameters.items()})


def _steps(
    plan: Plan, checks: tuple[Check, ...], invariants: tuple[PlannedInvariant, ...]
) -> Iterator[PlannedStep]:
    twins = any(INVARIANTS[each.name].twins for each in invariants)
    times = plan.timeouts
    yield PlannedStep("1", "boot", Boot(), times.boot)
    title = f"look {REASON}, once it has settled" + ", with twins" * twins
    look = Look(REASON, "", boot_end=True, checks=checks, twins=twins)
    # A change that was cut is gone on with in this boot.
    yield PlannedStep("2", title, look, times.step + times.settle)
