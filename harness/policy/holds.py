# SPDX-License-Identifier: GPL-3.0-only
"""When units were held, as the witness told it, and the holds of the plan that did not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.model.clock import GuestTime
from harness.model.observation import UnitSeen
from harness.model.occurrence import Held, UnitChanged
from harness.model.plan import Boot, HoldUnit, Plan, RebootGuest, ReleaseUnit
from harness.model.timeline import BootRecord, Timeline

_STARTING = ("start-pre", "start", "start-post", "mounting")


@dataclass(frozen=True, slots=True)
class Period:
    """A unit was kept waiting from `since` until `until` (None: to the boot's end, as far as was seen)."""

    hold: int
    since: GuestTime
    until: GuestTime | None
    line: int


@dataclass(frozen=True, slots=True)
class FailedHold:
    """A hold of the plan that proves nothing in this boot; `says` is for people."""

    kind: str
    unit: str
    boot: int
    says: str


def periods(boot: BootRecord) -> tuple[Period, ...]:
    """Each hold that kept its unit waiting in this boot, in the order in which they began."""
    found: dict[int, Period] = {}
    for seen in boot.occurrences:
        if isinstance(seen.occurrence, Held):
            held = seen.occurrence
            until = held.at if held.over else None
            found[held.hold] = Period(held.hold, held.since, until, seen.line)
    return tuple(sorted(found.values(), key=lambda period: (period.since, period.hold)))


def failed_holds(timeline: Timeline) -> Iterator[FailedHold]:
    """The holds that kept nothing waiting in a boot in which they were to, or that the unit got past."""
    boots = {boot.number: boot for boot in timeline.boots}
    for hold, number in _wanted(timeline.plan):
        boot = boots.get(number)
        period = next((each for each in periods(boot) if each.hold == hold.number), None) if boot else None
        where = f"in boot {number}"
        if boot is None or period is None:
            says = f"{hold.unit} was never kept waiting {where}, so what it was held for is not proven"
            yield FailedHold("never-held", hold.unit, number, says)
        elif not _kept(boot, hold.unit, period):
            says = f"{hold.unit} ran {where} although it was held, so what it was held for is not proven"
            yield FailedHold("not-kept", hold.unit, number, says)


def _wanted(plan: Plan) -> Iterator[tuple[HoldUnit, int]]:
    """Each hold with the boots in which it must have kept its unit waiting.

    Those are the boots that begin with it. The boot in which it is begun is one only where no reboot comes
    before its end: until a reboot the unit may run on.
    """
    boot = 0
    begun: dict[int, tuple[HoldUnit, int]] = {}
    for step in plan.steps:
        match step.action:
            case Boot() | RebootGuest():
                boot += 1
                for number, (hold, first) in list(begun.items()):
                    if hold.ends_itself and boot > first + 1:
                        del begun[number]
                    else:
                        yield hold, boot
            case HoldUnit() as hold:
                begun[hold.number] = hold, boot
            case ReleaseUnit(number):
                if number in begun:
                    hold, first = begun.pop(number)
                    if first == boot:
                        yield hold, boot
            case _:
                pass
    yield from ((hold, boot) for hold, first in begun.values() if first == boot)


def _kept(boot: BootRecord, unit: str, period: Period) -> bool:
    """Whether the unit did not run for some of the period, and did not start in it.

    systemd may start the waiting before the unit has stopped. A unit that the witness does not tell of is
    kept by systemd's word about the service that it comes after.
    """
    runs = False
    idle = True
    for seen in boot.occurrences:
        change = seen.occurrence
        if not isinstance(change, UnitChanged) or change.unit.name != unit:
            continue
        before, runs = runs, _runs(change.unit)
        if change.at <= period.since:
            idle = not runs
        elif period.until is None or change.at < period.until:
            if runs and not before:
                return False
            idle = idle or not runs
    return idle


def _runs(unit: UnitSeen) -> bool:
    return unit.active_state in ("active", "reloading", "deactivating") or unit.sub_state in _STARTING
