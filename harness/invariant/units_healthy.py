# SPDX-License-Identifier: GPL-3.0-only
"""At each boot's end, the units are active, and no snap unit has failed or was restarted by systemd.

Of a snap that was installed in that very boot only the restarts after the boot's first look count: until
its plugs are connected a service may well end and be started again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from harness.invariant.ends import End, absent_snaps, ends_of, new_snaps, unseen_end, witness
from harness.model.observation import Look, UnitSeen
from harness.model.timeline import SeenLook, Timeline
from harness.model.verdict import Finding, Outcome

NAME = "units-healthy"


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Judge `units` (the plan's services when empty; a tag means its service unit) at each boot end."""
    wanted = tuple(map(_unit_name, parameters.get("units") or timeline.plan.services))
    findings: list[Finding] = []
    for end in ends_of(timeline):
        findings += _judge_end(timeline, end, wanted)
    return tuple(findings)


def _unit_name(unit: str) -> str:
    """systemd's own default: a name without a known suffix is a service."""
    suffixes = (".service", ".socket", ".mount", ".target", ".timer", ".path", ".scope", ".slice")
    return unit if unit.endswith(suffixes) else f"{unit}.service"


def _judge_end(timeline: Timeline, end: End, wanted: Iterable[str]) -> Iterator[Finding]:
    if end.seen is None:
        yield unseen_end(NAME, end)
        return
    units = _units_of(end.seen.look)
    absent = {f"snap.{snap}." for snap in absent_snaps(timeline, end.step.number)}
    before = _restarts_before(timeline, end.seen)
    for name in sorted(set(wanted)):
        if name in units:
            yield _judge_unit(end.seen, _counted_from(units[name], before))
        elif not name.startswith(tuple(absent)):
            yield _finding(end.seen, name, Outcome.UNPROVEN, "unseen", f"the look does not say how {name} is")
    for unit in end.seen.look.failed_units:
        if unit.name.startswith("snap") and unit.name not in wanted:
            yield _finding(end.seen, unit.name, Outcome.VIOLATED, "failed", f"{unit.name} {_state(unit)}")


def _restarts_before(timeline: Timeline, seen: SeenLook) -> Mapping[str, int]:
    """How often the units of snaps new in this boot had been restarted when it was first looked at."""
    new = tuple(f"snap.{snap}." for snap in new_snaps(timeline, seen.taken.number))
    looks = [one.look for boot in timeline.boots for one in boot.looks if boot.number == seen.taken.boot]
    first = min(looks, key=lambda look: look.number)
    services = (service.unit for service in first.services if first.number < seen.look.number)
    return {unit.name: unit.restarts for unit in services if new and unit.name.startswith(new)}


def _counted_from(unit: UnitSeen, before: Mapping[str, int]) -> UnitSeen:
    """Starting a unit by hand sets systemd's count back to 0, so it can be less than it was."""
    return replace(unit, restarts=max(0, unit.restarts - before.get(unit.name, 0)))


def _units_of(look: Look) -> Mapping[str, UnitSeen]:
    seen = (*look.failed_units, *(service.unit for service in look.services), look.snapd_unit)
    return {unit.name: unit for unit in seen}


def _judge_unit(seen: SeenLook, unit: UnitSeen) -> Finding:
    outcome, kind = _class(seen.look, unit)
    return _finding(seen, unit.name, outcome, kind, f"{unit.name} {_state(unit)}")


def _class(look: Look, unit: UnitSeen) -> tuple[Outcome, str]:
    """What has happened is certain; what has not happened yet may still come in an unsettled guest."""
    if unit.active_state == "failed":
        return Outcome.VIOLATED, "failed"
    if unit.restarts:
        return Outcome.VIOLATED, "restarted"
    if look.unsettled:
        return Outcome.UNPROVEN, "unsettled"
    match unit.active_state:
        case "active":
            return Outcome.HELD, "active"
        case "inactive" | "activating" | "deactivating" | "reloading" | "maintenance" as state:
            return Outcome.VIOLATED, state
        case _:
            return Outcome.UNPROVEN, "unseen"


def _state(unit: UnitSeen) -> str:
    text = f"is {unit.active_state or 'unknown'} ({unit.sub_state})"
    if unit.result not in ("", "success"):
        text += f", result {unit.result}, status {unit.exit_status}"
    return text + (f", restarted {unit.restarts} times in this boot" if unit.restarts else "")


def _finding(seen: SeenLook, subject: str, outcome: Outcome, kind: str, summary: str) -> Finding:
    boot = seen.taken.boot
    return Finding(NAME, outcome, kind, subject, boot, summary, evidence=(witness(seen, summary),))
