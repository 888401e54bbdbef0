# SPDX-License-Identifier: GPL-3.0-only
"""A guest of paper whose power was cut, and the boot after it: the disk is what it was at that moment."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from harness.model.plan import Look, PlannedInvariant
from harness.model.sweep import Cut, CutOf
from harness.model.timeline import Timeline
from tests.unit.builders import NEW, POLICY, SPAN, Guest, begun

HELD = (POLICY, "services-after-policy", "one-policy-on-disk", "twin-agrees", "units-healthy")
CUT = Cut(17, 203)


def invariants(*names: str) -> tuple[PlannedInvariant, ...]:
    return tuple(PlannedInvariant(name, {"services": ()}, SPAN) for name in names)


def refreshed(**more: object) -> Guest:
    """The recording until its core is to go back."""
    return begun(**more).install(NEW).look(boot_end=False)


def cut(guest: Guest) -> Guest:
    """The same disk and clock in a run of its own, which begins with the boot after the cut."""
    new = Guest(streams=guest.streams, core=guest.core, invariants=invariants(*HELD))
    new.wall, new.key = guest.wall, guest.key
    new.files = copy.copy(guest.files)
    return new.power_on()


def after_cut(guest: Guest, recording: Guest, key: str = "", **changes: Any) -> Timeline:
    """The record of the boot, with nothing expected of which core's snapd runs."""
    told = guest.timeline()
    plan = replace(told.plan, cut=CutOf("recorded", CUT, 12, key), **changes)
    plan = replace(plan, steps=tuple(map(_unexpecting, plan.steps)))
    boots = tuple(
        replace(
            boot,
            looks=tuple(replace(seen, taken=replace(seen.taken, expects_core="")) for seen in boot.looks),
        )
        for boot in told.boots
    )
    return replace(told, plan=plan, boots=boots, recording=recording.timeline())


def _unexpecting(step: Any) -> Any:
    if not isinstance(step.action, Look):
        return step
    return replace(step, action=replace(step.action, expects_core="", twins=True, checks=()))
