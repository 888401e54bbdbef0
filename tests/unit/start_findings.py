# SPDX-License-Identifier: GPL-3.0-only
"""What is found of the starts in a run of a guest of paper, and runs with less or other in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.invariant.policy_from_running_snapd import judge
from harness.model.timeline import BootRecord, SeenOccurrence, Timeline
from harness.model.verdict import Finding, Outcome
from tests.unit.builders import BLUEZ, Guest, begun

HELD, UNPROVEN, VIOLATED = Outcome.HELD, Outcome.UNPROVEN, Outcome.VIOLATED


def findings(run: Guest | Timeline, **parameters: tuple[str, ...]) -> tuple[Finding, ...]:
    return judge(run.timeline() if isinstance(run, Guest) else run, parameters)


def starts(run: Guest | Timeline, boot: int, tag: str = BLUEZ, **more: tuple[str, ...]) -> list[Finding]:
    """The findings about starts of a service in a boot, not those about the boot's end."""
    found = [f for f in findings(run, **more) if f.boot == boot and f.subject in (tag, f"boot {boot}")]
    return [f for f in found if "main process" not in f.summary and "has no process" not in f.summary]


def told(found: list[Finding]) -> list[tuple[Outcome, str]]:
    return [(f.outcome, f.kind) for f in found]


def one_service(**more: Any) -> Guest:
    return begun(streams=True, tags=(BLUEZ,), **more)


def edited(run: Guest | Timeline, boot: int, change: Any) -> Timeline:
    """The run's timeline with the occurrences of a boot changed, or left out where `change` gives None."""
    timeline = run.timeline() if isinstance(run, Guest) else run

    def of(record: BootRecord) -> BootRecord:
        changed = ((seen.line, change(seen.occurrence)) for seen in record.occurrences)
        kept = tuple(SeenOccurrence(line, one) for line, one in changed if one is not None)
        return replace(record, occurrences=kept)

    boots = tuple(of(record) if record.number == boot else record for record in timeline.boots)
    return replace(timeline, boots=boots)


def without(run: Guest | Timeline, boot: int, *kinds: type, when: Any = bool) -> Timeline:
    return edited(run, boot, lambda one: None if isinstance(one, kinds) and when(one) else one)
