# SPDX-License-Identifier: GPL-3.0-only
"""snapd's own lane: each run of it, by the build that ran, and when it was ready."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.model.clock import GuestTime
from harness.model.observation import UnitSeen
from harness.model.occurrence import Executed, UnitChanged
from harness.model.timeline import BootRecord
from harness.policy.builds import Builds
from harness.report.strip import Bar, Lane, Mark, Shape, Stretch

NAME = "snapd"

_UNIT = "snapd.service"
_PROGRAM = "/lib/snapd/snapd"
_GONE = ("inactive", "failed")


def lane(boot: BootRecord, builds: Builds, until: GuestTime) -> Lane:
    """Runs of snapd until the strip's end, those that nobody saw executed from the looks."""
    marks: list[Mark] = []
    bars: list[Bar] = []
    state = ""
    for seen in boot.occurrences:
        place = f"witness.jsonl:{seen.line}"
        match seen.occurrence:
            case Executed(exe=exe) as run if exe.removesuffix(" (deleted)").endswith(_PROGRAM):
                _end(bars, run.at)
                state = ""
                bars.append(_run(run, builds, until, place))
            case UnitChanged(unit=unit) as change if unit.name == _UNIT:
                if unit.active_state != state:
                    state = unit.active_state
                    _follow(unit, change.at, place, bars, marks)
            case _:
                pass
    bars += _of_looks(boot, builds, {bar.says for bar in bars})
    return Lane(NAME, tuple(marks), tuple(sorted(bars, key=lambda bar: bar.since)))


def _run(run: Executed, builds: Builds, until: GuestTime, place: str) -> Bar:
    says = _says(run.pid, run.exe)
    author = builds.name(run.build_id) if run.build_id else ""
    return Bar(run.at, until, Stretch.STARTING, says, place, author)


def _says(pid: int, exe: str) -> str:
    return f"snapd (process {pid}): {exe}"


def _follow(unit: UnitSeen, at: GuestTime, place: str, bars: list[Bar], marks: list[Mark]) -> None:
    if unit.active_state == "active":
        marks.append(Mark(at, Shape.READY, "snapd.service is active: snapd said READY", place))
        if bars and bars[-1].stretch == Stretch.STARTING and bars[-1].until > at:
            starting = _end(bars, at)
            bars.append(replace(starting, since=at, stretch=Stretch.READY, place=place))
    elif unit.active_state in _GONE:
        failed = unit.active_state == "failed" or unit.result != "success"
        says = f"snapd.service is {unit.active_state} ({unit.result})"
        marks.append(Mark(at, Shape.FAILED if failed else Shape.ENDED, says, place))
        _end(bars, at)


def _end(bars: list[Bar], at: GuestTime) -> Bar:
    """End the last bar, if it still goes on, and return what it was."""
    if not bars:
        return Bar(at, at, Stretch.STARTING, "")
    last = bars[-1]
    if last.until > at:
        bars[-1] = replace(last, until=at)
    return last


def _of_looks(boot: BootRecord, builds: Builds, told: set[str]) -> Iterator[Bar]:
    """Each snapd that only looks tell of, from its process's start to the last look that saw it."""
    seen: dict[tuple[int, GuestTime], Bar] = {}
    for look in boot.looks:
        snapd = look.look.snapd
        if snapd is None or _says(snapd.pid, snapd.exe) in told:
            continue
        until = max(look.look.at, snapd.started)
        first = Bar(
            snapd.started,
            until,
            Stretch.SEEN,
            _says(snapd.pid, snapd.exe),
            f"witness.jsonl:{look.line}",
            builds.name(snapd.build_id),
        )
        key = snapd.pid, snapd.started
        seen[key] = replace(seen.get(key, first), until=until)
    yield from seen.values()
