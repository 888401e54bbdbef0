# SPDX-License-Identifier: GPL-3.0-only
"""What /var/lib/snapd/system-key named at a moment: it is what makes `snap run` wait for snapd, or not.

`snap run` (2.32 and later) compares the key once, when it starts: when it names the build that runs, the
policy on disk is that build's, as far as snapd knows, and nothing else keeps a start from going on.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.model.clock import GuestTime
from harness.model.occurrence import FileChange, Source
from harness.model.timeline import SeenLook, Timeline
from harness.model.verdict import Evidence
from harness.policy.authorship import WITNESS
from harness.policy.builds import short
from harness.policy.happened import Happened
from harness.policy.writers import Writers

PATH = "/var/lib/snapd/system-key"
PLAN = "plan.json"


class Guard(StrEnum):
    """Whether the key would have held a start back until snapd was ready, had policy been another's."""

    CONFIRMED = "confirmed"  # a later look shows that it had named the running build since before
    BELIEVED = "believed"  # the latest word of it before says so
    NONE = "none"  # it named another build, or there was none
    UNKNOWN = "unknown"  # nothing tells what it named


# A moment, the line that tells of it, and the build named: empty when there was no key, None if not known.
_Entry = tuple[tuple[int, int], int, str | None]


@dataclass(frozen=True, slots=True)
class KeyAtCut:
    """What the key on the disk of the boot after a cut named, and since when its changes were watched."""

    build: str
    watched: GuestTime


@dataclass(frozen=True, slots=True)
class SystemKeys:
    """The builds that the key named; `later` are, for each boot, looks with since when it was so.

    `at_cut` is None where that is not known, or the run begins with no cut.
    """

    entries: Sequence[_Entry]
    later: Mapping[int, Sequence[tuple[int, int, int, str]]]
    at_cut: KeyAtCut | None = None

    @classmethod
    def of(
        cls, looks: Sequence[SeenLook], happened: Mapping[int, Happened], writers: Writers, timeline: Timeline
    ) -> SystemKeys:
        """Gather them from a whole run; `looks` are in order."""
        named = _named(looks)
        entries = sorted((*_from_looks(looks), *_from_changes(happened, writers, named)), key=_when)
        later: dict[int, list[tuple[int, int, int, str]]] = {}
        for seen in looks:
            key = seen.look.system_key
            since = _since(seen, happened.get(seen.taken.boot))
            entry = (int(seen.look.at), since, seen.line, key.build_id if key else "")
            later.setdefault(seen.taken.boot, []).append(entry)
        at_cut = _at_cut(timeline, happened)
        return cls(entries, {boot: sorted(found) for boot, found in later.items()}, at_cut)

    def guard(self, boot: int, at: GuestTime, build: str) -> tuple[Guard, tuple[Evidence, ...]]:
        """Whether the key named `build` when a launcher compared it at `at`, and what shows it."""
        looks = self.later.get(boot, ())
        number = bisect_left(looks, int(at), key=_first)
        if number < len(looks):
            _, since, line, named = looks[number]
            if named == build and since <= at:
                says = f"the system-key names build {short(build)} since before the start"
                return Guard.CONFIRMED, (Evidence(WITNESS, line, says),)
        number = bisect_right(self.entries, (boot, int(at)), key=_when)
        if not number and self.at_cut and self.at_cut.watched <= at:
            return self._as_cut(self.at_cut.build, build)
        _, line, named_last = self.entries[number - 1] if number else ((0, 0), 0, None)
        if named_last is None:
            return Guard.UNKNOWN, ()
        names = f"names build {short(named_last)}" if named_last else "was not there"
        proof = (Evidence(WITNESS, line, f"the system-key {names} before the start"),)
        return (Guard.BELIEVED if named_last == build else Guard.NONE), proof

    def _as_cut(self, named: str, build: str) -> tuple[Guard, tuple[Evidence, ...]]:
        names = f"names build {short(named)}" if named else "is not there"
        proof = (Evidence(PLAN, 1, f"the system-key {names} on the disk that the cut left"),)
        return (Guard.CONFIRMED if named == build else Guard.NONE), proof


def _named(looks: Iterable[SeenLook]) -> Mapping[str, str]:
    """The build that a key of this content names."""
    return {key.sha256: key.build_id for seen in looks if (key := seen.look.system_key) and key.sha256}


def _since(seen: SeenLook, happened: Happened | None) -> int:
    """Since when the key had been what it was at a look; where there was none, since the look.

    That is when its file was changed. Where that is still to come, the clock has been set back since: no
    write of this boot is dated so, and the witness must not have seen one either.
    """
    look = seen.look
    changed = look.system_key.changed - look.boot_wall if look.system_key else int(look.at)
    if changed <= look.at or happened is None or Source.FILES not in happened.watching:
        return changed
    watched = happened.watching[Source.FILES].of.since
    gaps = (lost.of for lost in happened.lost if lost.of.source == Source.FILES)
    blind = (min(gap.at, look.at) for gap in gaps if gap.since <= look.at)
    writes = (change.of.at for change in happened.files if change.of.path == PATH)
    return max((watched, *blind, *(at for at in writes if at <= look.at)))


def _at_cut(timeline: Timeline, happened: Mapping[int, Happened]) -> KeyAtCut | None:
    """Before its first change that the witness tells of, a key is what it was on the disk."""
    cut, recording, first = timeline.plan.cut, timeline.recording, happened.get(1)
    watching = first.watching.get(Source.FILES) if first else None
    if cut is None or recording is None or watching is None:
        return None
    if not cut.key:
        return KeyAtCut("", watching.of.since)
    named = _named(seen for boot in recording.boots for seen in boot.looks)
    return KeyAtCut(named[cut.key], watching.of.since) if cut.key in named else None


def _when(entry: _Entry) -> tuple[int, int]:
    return entry[0]


def _first(entry: tuple[int, int, int, str]) -> int:
    return entry[0]


def _from_looks(looks: Sequence[SeenLook]) -> Iterator[_Entry]:
    for seen in looks:
        key = seen.look.system_key
        since = max(0, key.changed - seen.look.boot_wall) if key else seen.look.at
        yield (seen.taken.boot, min(since, seen.look.at)), seen.line, key.build_id if key else ""


def _from_changes(
    happened: Mapping[int, Happened], writers: Writers, named: Mapping[str, str]
) -> Iterator[_Entry]:
    for one in writers.all:
        if one.change.path == PATH:
            build = named.get(one.change.sha256) or (one.daemon.build if one.daemon else "")
            yield (one.boot, one.change.at), one.line, build or None
    for boot, happenings in happened.items():
        for line, change in happenings.files:
            if change.path == PATH and change.change == FileChange.DELETED:
                yield (boot, change.at), line, ""
