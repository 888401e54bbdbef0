# SPDX-License-Identifier: GPL-3.0-only
"""A service's lane: when its launcher waited, when its own program ran, and how its unit fared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.model.clock import GuestTime
from harness.model.observation import UnitSeen
from harness.model.occurrence import Executed, UnitChanged
from harness.model.timeline import BootRecord, SeenOccurrence
from harness.policy.confinement import is_waiting
from harness.policy.launchers import is_launcher
from harness.report.starts import Start, describe, main_processes
from harness.report.strip import Bar, Lane, Mark, Shape, Stretch

_SERVICE = ".service"


def lanes(boot: BootRecord, tags: Iterable[str], starts: Sequence[Start], until: GuestTime) -> Iterator[Lane]:
    """A lane for each service, in the order of `tags`, then those that nobody planned."""
    started: dict[str, list[Start]] = defaultdict(list)
    for start in starts:
        started[start.tag].append(start)
    seen = _seen(boot)
    for tag in dict.fromkeys((*tags, *started)):
        yield _lane(tag, boot, started.get(tag, ()), seen.get(tag, ()), until)


def _seen(boot: BootRecord) -> Mapping[str, list[SeenOccurrence]]:
    """What is about a service's unit or about a launcher in it, by the unit's name."""
    found: dict[str, list[SeenOccurrence]] = defaultdict(list)
    for seen in boot.occurrences:
        match seen.occurrence:
            case Executed(exe=exe, unit=unit) if unit and is_launcher(exe):
                found[unit.removesuffix(_SERVICE)].append(seen)
            case UnitChanged(unit=state):
                found[state.name.removesuffix(_SERVICE)].append(seen)
            case _:
                pass
    return found


@dataclass(slots=True)
class _Life:
    """The lane so far, and the bar that still goes on."""

    until: GuestTime
    marks: list[Mark] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    current: Bar | None = None
    unit: UnitSeen | None = None

    def end(self, at: GuestTime) -> None:
        if self.current:
            self.bars.append(replace(self.current, until=max(at, self.current.since)))
        self.current = None

    def begin(self, bar: Bar) -> None:
        self.end(bar.since)
        self.current = bar


def _lane(
    tag: str,
    boot: BootRecord,
    starts: Sequence[Start],
    seen: Sequence[SeenOccurrence],
    until: GuestTime,
) -> Lane:
    life = _Life(until)
    whole = [start for start in starts if not start.seen_late]
    moments = [(start.at, start) for start in whole] + [(one.occurrence.at, one) for one in seen]
    for _, moment in sorted(moments, key=lambda pair: pair[0]):
        if isinstance(moment, Start):
            _start(moment, life, until)
        else:
            _occurred(moment, life)
    life.end(until)
    _add_late(boot, tag, [start for start in starts if start.seen_late], life)
    marks = sorted(life.marks, key=lambda mark: mark.at)
    return Lane(tag, tuple(marks), tuple(sorted(life.bars, key=lambda bar: bar.since)))


def _start(start: Start, life: _Life, until: GuestTime) -> None:
    says = _says(start)
    life.marks.append(Mark(start.at, Shape.STARTED, says, start.place, start.author, start.violated))
    life.begin(Bar(start.at, until, Stretch.RUNNING, says, start.place, start.author, start.violated))


def _says(start: Start) -> str:
    kind = f"{start.kind}: " if start.kind else ""
    policy = ", ".join(says for _, says in describe(start))
    return f"{kind}process {start.pid} executed {start.exe}, {policy}"


def _occurred(seen: SeenOccurrence, life: _Life) -> None:
    place = f"witness.jsonl:{seen.line}"
    match seen.occurrence:
        case Executed(at=at, exe=exe, pid=pid):
            if life.current is None:
                says = f"process {pid} is {exe.rpartition('/')[2]}, which waits for snapd when it must"
                life.begin(Bar(at, at, Stretch.WAITING, says, place))
        case UnitChanged(at=at, unit=unit):
            before, life.unit = life.unit, unit
            _unit_changed(at, place, before, unit, life)
        case _:
            pass


def _unit_changed(at: GuestTime, place: str, before: UnitSeen | None, now: UnitSeen, life: _Life) -> None:
    gone = now.active_state in ("inactive", "failed") or now.sub_state == "auto-restart"
    was_gone = before is not None and _state(before) == _state(now)
    if not gone or was_gone:
        return
    had_life = life.current is not None or before is not None
    life.end(at)
    if now.active_state == "failed" or now.result != "success":
        says = f"the unit is {now.active_state} ({now.sub_state}): {now.result}, restarts {now.restarts}"
        life.marks.append(Mark(at, Shape.FAILED, says, place))
    elif had_life:
        says = f"the unit is {now.active_state} ({now.sub_state})"
        life.marks.append(Mark(at, Shape.ENDED, says, place))


def _state(unit: UnitSeen) -> tuple[str, str, int]:
    return unit.active_state, unit.sub_state, unit.restarts


def _add_late(boot: BootRecord, tag: str, late: Sequence[Start], life: _Life) -> None:
    """What only looks tell of: a process from its fork to the last look that saw it."""
    last: dict[int, GuestTime] = {}
    for seen in boot.looks:
        for of_tag, process in main_processes(seen):
            if of_tag == tag:
                last[process.pid] = max(seen.look.at, process.started)
                if is_waiting(process, tag):
                    says = f"process {process.pid} is still the launcher at this look"
                    place = f"witness.jsonl:{seen.line}"
                    life.bars.append(Bar(process.started, last[process.pid], Stretch.WAITING, says, place))
        for service in seen.look.services:
            if service.tag == tag and service.unit.active_state == "failed":
                says = f"the unit is failed at this look: {service.unit.result}"
                life.marks.append(Mark(seen.look.at, Shape.FAILED, says, f"witness.jsonl:{seen.line}"))
    for start in late:
        says = f"{_says(start)}; forked then, executed later"
        life.marks.append(
            Mark(start.at, Shape.STARTED, says, start.place, start.author, start.violated, True)
        )
        life.bars.append(
            Bar(
                start.at,
                last.get(start.pid, start.until),
                Stretch.RUNNING,
                says,
                start.place,
                start.author,
                start.violated,
                True,
            )
        )
