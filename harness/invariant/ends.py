# SPDX-License-Identifier: GPL-3.0-only
"""The planned ends of boots, and what was seen at each: what every end-state invariant goes through."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.change import change_of
from harness.model.plan import Boot, InstallSnap, Look, PlannedStep, RebootGuest, RemoveSnap
from harness.model.timeline import SeenLook, Timeline
from harness.model.verdict import Evidence, Finding, Outcome

WITNESS = "witness.jsonl"
EVENTS = "events.jsonl"
CONSOLE = "console.log"


@dataclass(frozen=True, slots=True)
class End:
    """A boot's planned end: its step, and the look taken there, if it was."""

    boot: int
    step: PlannedStep
    planned: Look
    seen: SeenLook | None


def ends_of(timeline: Timeline) -> tuple[End, ...]:
    """Every planned boot end, in order; a boot that was not planned has none."""
    seen = {look.taken.number: look for boot in timeline.boots for look in boot.looks}
    found: list[End] = []
    boot = 0
    for step in timeline.plan.steps:
        match step.action:
            case Boot() | RebootGuest():
                boot += 1
            case Look(boot_end=True) as planned:
                look = seen.get(step.number)
                found.append(End(look.taken.boot if look else boot, step, planned, look))
            case _:
                pass
    return tuple(found)


def unseen_end(invariant: str, end: End) -> Finding:
    """The finding for a boot's end of which there is no look."""
    step = end.step.number
    summary = f"boot {end.boot} was never looked at: its end (step {step}) was not reached or not recorded"
    return Finding(invariant, Outcome.UNPROVEN, "unseen", f"boot {end.boot}", end.boot, summary)


def witness(seen: SeenLook, says: str) -> Evidence:
    """Evidence for what a look says."""
    return Evidence(WITNESS, seen.line, says)


def absent_snaps(timeline: Timeline, number: str) -> frozenset[str]:
    """Snaps that the plan installs, but which it does not mean to be there at the step `number`."""
    there: set[str] = set()
    installed: set[str] = set()
    reached = False
    for step in timeline.plan.steps:
        reached = reached or step.number == number
        change = change_of(step.action)
        match change:
            case InstallSnap(ref):
                installed.add(ref.snap)
                there |= set() if reached else {ref.snap}
            case RemoveSnap(snap) if not reached:
                there.discard(snap)
                installed.add(snap)
            case _:
                pass
    return frozenset(installed - there) | _not_there(timeline, number)


def _not_there(timeline: Timeline, number: str) -> frozenset[str]:
    """Of the snaps of which a cut left open whether they are there, those without a service in the look."""
    cut = timeline.plan.cut
    if cut is None:
        return frozenset()
    looks = (seen.look for boot in timeline.boots for seen in boot.looks if seen.taken.number == number)
    return frozenset(cut.unsure) - {service.tag.split(".")[1] for look in looks for service in look.services}


def new_snaps(timeline: Timeline, number: str) -> frozenset[str]:
    """Snaps that the plan installs or refreshes in the boot of the step `number`, before it."""
    found: set[str] = set()
    for step in timeline.plan.steps:
        if step.number == number:
            break
        change = change_of(step.action)
        match change:
            case Boot() | RebootGuest():
                found.clear()
            case InstallSnap(ref):
                found.add(ref.snap)
            case _:
                pass
    return frozenset(found)
