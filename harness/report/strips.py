# SPDX-License-Identifier: GPL-3.0-only
"""Every boot of a run as a strip, and every start in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.model.clock import SECOND, GuestTime
from harness.model.occurrence import Watching
from harness.model.timeline import BootRecord, Timeline
from harness.policy.knowledge import Knowledge
from harness.report import lane_of_holds, lane_of_host, lane_of_service, lane_of_snapd
from harness.report.close_up import close_up
from harness.report.edges import edges
from harness.report.host_clock import HostClock, clocks
from harness.report.numbered import Numbered
from harness.report.starts import Start, starts
from harness.report.strip import Edge, Lane, Mark, Shape, Strip, seconds
from harness.report.thin import thinned
from harness.report.writes import LANES, Makings, Write, writes

# Marks and bars of a whole page, and of one lane: what keeps a page small and a strip readable.
_MOST_OF_ALL, _MOST_OF_LANE, _FEWEST_OF_LANE = 4000, 200, 10
_MOST_EDGES = 100

# How far a guest's clock may run ahead of the host's before it is not believed, and how long a boot may be
# of which the host saw next to nothing.
_CLOCKS_APART, _LONGEST = 10 * SECOND, 366 * 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Strips:
    """The boots of a run in their order, and all of its starts, which the strips may show only a part of.

    `close_ups` has, by the number of its boot, a part that deserves a picture of its own.
    """

    boots: tuple[Strip, ...]
    close_ups: dict[int, Strip]
    starts: dict[int, tuple[Start, ...]]


def strips(timeline: Timeline, known: Knowledge, findings: Sequence[Numbered]) -> Strips:
    """Draw every boot."""
    changes = writes(timeline, known)
    makings = Makings.of(changes)
    started = starts(timeline, known, findings)
    of_host = clocks(timeline)
    found: list[Strip] = []
    parts: dict[int, Strip] = {}
    for boot in timeline.boots:
        clock = of_host.get(boot.number)
        whole = _whole(timeline, boot, known, changes[boot.number], started[boot.number], clock, makings)
        most = _most(whole, len(timeline.boots))
        found.append(_thin(whole, most))
        if part := close_up(whole):
            parts[boot.number] = _thin(part, most)
    return Strips(tuple(found), parts, started)


def _most(whole: Strip, boots: int) -> int:
    """How many marks of a lane a page of so many boots can show."""
    room = max(1, len(whole.lanes)) * max(1, boots)
    return max(_FEWEST_OF_LANE, min(_MOST_OF_LANE, _MOST_OF_ALL // room))


def _thin(strip: Strip, most: int) -> Strip:
    lanes = tuple(thinned(lane, strip.until - strip.since, most) for lane in strip.lanes)
    notes = (*strip.notes, *_left_out(lanes, len(strip.edges)))
    return replace(strip, lanes=lanes, edges=_kept(strip.edges), notes=notes)


def _whole(
    timeline: Timeline,
    boot: BootRecord,
    known: Knowledge,
    changes: Sequence[Write],
    started: Sequence[Start],
    clock: HostClock | None,
    makings: Makings,
) -> Strip:
    until = _until(boot, changes, started, clock)
    lanes = [
        *([lane_of_host.steps(timeline, clock)] if clock else []),
        *lane_of_holds.lanes(boot, timeline.plan.holds, until),
        lane_of_snapd.lane(boot, known.builds, until),
        *_policy(changes),
        *lane_of_service.lanes(boot, timeline.plan.services, started, until),
        lane_of_host.witness(boot, timeline, clock),
        *([lane_of_host.machine(timeline, clock)] if clock else []),
        lane_of_host.console(boot),
    ]
    found = list(edges(started, makings))
    needed = {*timeline.plan.services, *(edge.lane for edge in found)}
    shown = [lane for lane in lanes if lane.marks or lane.bars or lane.name in needed]
    within = tuple(_within(lane, until) for lane in shown)
    joined = tuple(_edge_within(edge, until) for edge in found)
    return Strip(boot.number, GuestTime(0), until, within, joined, tuple(_notes(boot, clock, within)))


def _until(
    boot: BootRecord, changes: Sequence[Write], started: Sequence[Start], clock: HostClock | None
) -> GuestTime:
    """The latest moment that is known of the boot; at least a second, so that there is a strip.

    A guest can claim any time at all: one long after the host saw the boot end does not stretch the strip.
    """
    known: list[GuestTime] = [GuestTime(SECOND)]
    known += (seen.look.at for seen in boot.looks)
    known += (seen.occurrence.at for seen in boot.occurrences)
    known += (start.until for start in started)
    known += (change.at for change in changes)
    took = clock.ended - clock.began if clock else 0
    most = 2 * took + _CLOCKS_APART if took >= SECOND else _LONGEST
    if clock:
        known.append(clock.guest(clock.ended))
    return max(at for at in known if at <= most)


def _policy(changes: Sequence[Write]) -> Iterator[Lane]:
    for name in LANES:
        marks = (
            Mark(write.at, write.shape, write.says, write.place, write.author)
            for write in changes
            if write.lane == name
        )
        yield Lane(name, tuple(marks))


def _within(lane: Lane, until: GuestTime) -> Lane:
    """The lane inside its strip: a guest can claim any time at all."""
    marks = (
        mark if 0 <= mark.at <= until else replace(mark, at=_clamped(mark.at, until)) for mark in lane.marks
    )
    bars = (
        replace(bar, since=_clamped(bar.since, until), until=_clamped(bar.until, until)) for bar in lane.bars
    )
    return replace(lane, marks=tuple(marks), bars=tuple(bars))


def _edge_within(edge: Edge, until: GuestTime) -> Edge:
    since = None if edge.since is None else _clamped(edge.since, until)
    return replace(edge, since=since, until=_clamped(edge.until, until))


def _clamped(at: GuestTime, until: GuestTime) -> GuestTime:
    return GuestTime(min(max(at, 0), until))


def _kept(found: Sequence[Edge]) -> tuple[Edge, ...]:
    if len(found) <= _MOST_EDGES:
        return tuple(found)
    return tuple(sorted(found, key=lambda edge: not edge.broken)[:_MOST_EDGES])


def _notes(boot: BootRecord, clock: HostClock | None, lanes: Iterable[Lane]) -> Iterator[str]:
    if not boot.occurrences:
        yield "Drawn from looks: only what was still so at a look is here, not all that happened in between."
    yield from _watched(boot)
    if clock:
        yield clock.says
    if any(mark.shape == Shape.UNKNOWN for lane in lanes for mark in lane.marks):
        yield "A question mark is something that could not be read, or that the witness says it missed."


def _left_out(lanes: Iterable[Lane], edges: int) -> Iterator[str]:
    for lane in lanes:
        if lane.left_out:
            yield f"{lane.name}: {lane.left_out} more are left out here; the record has them all."
    if edges > _MOST_EDGES:
        yield f"{edges - _MOST_EDGES} more arrows are left out."


def _watched(boot: BootRecord) -> Iterator[str]:
    since: dict[str, GuestTime] = {}
    for seen in boot.occurrences:
        if isinstance(seen.occurrence, Watching):
            since.setdefault(str(seen.occurrence.source), seen.occurrence.since)
    whole = ", ".join(source for source, at in since.items() if at <= 0)
    late = ", ".join(f"{source} from {seconds(at)}" for source, at in since.items() if at > 0)
    if whole:
        yield f"Watched from the kernel's start: {whole}."
    if late:
        yield f"Watched: {late}; what came before is drawn from looks."
