# SPDX-License-Identifier: GPL-3.0-only
"""When things that only the host saw happened on a boot's own clock, and how exact that is.

An answer arrives after the guest gave it, so the guest's clock starts no later than the smallest
difference between arrival and answer, and no earlier than the boot began on the host.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.clock import SECOND, GuestTime, HostTime
from harness.model.event import BootBegan, LookTaken
from harness.model.timeline import BootRecord, Timeline


@dataclass(frozen=True, slots=True)
class HostClock:
    """The host's times `began` and `ended` of a boot, and its kernel's `start` at the latest."""

    began: HostTime
    ended: HostTime
    start: HostTime
    by_looks: bool

    def guest(self, at: HostTime) -> GuestTime:
        """The place of a host's time on the boot's clock, never before its beginning."""
        return GuestTime(max(0, at - self.start))

    @property
    def says(self) -> str:
        """How exact the places are, for people."""
        what = "Steps, checks and QEMU's events are placed by the host's clock"
        if not self.by_looks:
            return f"{what}, counted from the boot's beginning: they may lie some seconds too far right."
        most = max(0.1, (self.start - self.began) / SECOND)
        return f"{what}: they may lie up to {most:.1f} s too far left."


def clocks(timeline: Timeline) -> dict[int, HostClock]:
    """The clock of every boot whose beginning is recorded."""
    begun = [(e.at, e.event.boot) for e in timeline.events if isinstance(e.event, BootBegan)]
    ends = [at for at, _ in begun[1:]] + [max((e.at for e in timeline.events), default=HostTime(0))]
    arrivals = _arrivals(timeline)
    boots = {boot.number: boot for boot in timeline.boots}
    return {
        number: _clock(began, ended, boots.get(number), arrivals)
        for (began, number), ended in zip(begun, ends, strict=False)
    }


def _arrivals(timeline: Timeline) -> dict[tuple[int, int], HostTime]:
    taken = ((e.at, e.event) for e in timeline.events if isinstance(e.event, LookTaken))
    return {(event.boot, event.look): at for at, event in taken}


def _clock(
    began: HostTime, ended: HostTime, boot: BootRecord | None, arrivals: dict[tuple[int, int], HostTime]
) -> HostClock:
    starts = [
        arrivals[key] - seen.look.at
        for seen in (boot.looks if boot else ())
        if (key := (seen.taken.boot, seen.taken.look)) in arrivals
    ]
    # A guest whose clock says more than the host saw pass proves nothing about either.
    start = min((start for start in starts if start >= began), default=began)
    return HostClock(began, ended, HostTime(start), any(start >= began for start in starts))
