# SPDX-License-Identifier: GPL-3.0-only
"""One boot's occurrences, sorted by kind and by what they are about, so that each is found at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from harness.model.clock import GuestTime
from harness.model.occurrence import (
    Executed,
    FileChange,
    FileChanged,
    FilterInstalled,
    Lost,
    ProfileChanged,
    Source,
    Started,
    UnitChanged,
    Watching,
)
from harness.model.timeline import BootRecord

T = TypeVar("T")


class Placed(NamedTuple, Generic[T]):
    """An occurrence and its line in witness.jsonl."""

    line: int
    of: T


@dataclass(slots=True)
class Happened:
    """What happened in one boot, each list in the order of guest time.

    `images` are the programs that each process executed, `watching` the earliest beginning of each source.
    """

    boot: int
    images: dict[int, list[Placed[Executed]]] = field(default_factory=dict)
    filters: dict[int, list[GuestTime]] = field(default_factory=dict)
    starts: dict[str, list[Placed[Started]]] = field(default_factory=dict)
    units: dict[str, list[Placed[UnitChanged]]] = field(default_factory=dict)
    files: list[Placed[FileChanged]] = field(default_factory=list)
    profiles: dict[str, list[Placed[ProfileChanged]]] = field(default_factory=dict)
    watching: dict[Source, Placed[Watching]] = field(default_factory=dict)
    lost: list[Placed[Lost]] = field(default_factory=list)

    @classmethod
    def of(cls, boot: BootRecord) -> Happened:
        """Sort a boot's occurrences."""
        found = cls(boot.number)
        notes: Mapping[type, Callable[[int, Any], None]] = {
            Executed: found._executed,
            FilterInstalled: found._filtered,
            Started: found._started,
            UnitChanged: found._unit_changed,
            FileChanged: found._file_changed,
            ProfileChanged: found._profile_changed,
            Watching: found._watched,
            Lost: found._was_lost,
        }
        for seen in boot.occurrences:
            note = notes.get(type(seen.occurrence))
            if note:
                note(seen.line, seen.occurrence)
        return found

    def _executed(self, line: int, one: Executed) -> None:
        self.images.setdefault(one.pid, []).append(Placed(line, one))

    def _filtered(self, _: int, one: FilterInstalled) -> None:
        self.filters.setdefault(one.pid, []).append(one.at)

    def _started(self, line: int, one: Started) -> None:
        self.starts.setdefault(one.tag, []).append(Placed(line, one))

    def _unit_changed(self, line: int, one: UnitChanged) -> None:
        self.units.setdefault(one.unit.name, []).append(Placed(line, one))

    def _file_changed(self, line: int, one: FileChanged) -> None:
        self.files.append(Placed(line, one))

    def _profile_changed(self, line: int, one: ProfileChanged) -> None:
        self.profiles.setdefault(one.name, []).append(Placed(line, one))

    def _watched(self, line: int, one: Watching) -> None:
        known = self.watching.get(one.source)
        if known is None or one.since < known.of.since:
            self.watching[one.source] = Placed(line, one)

    def _was_lost(self, line: int, one: Lost) -> None:
        self.lost.append(Placed(line, one))

    def image(self, pid: int, at: GuestTime) -> Placed[Executed] | None:
        """What the process had executed last at that time, if that was seen."""
        images: Sequence[Placed[Executed]] = self.images.get(pid, ())
        number = bisect_right(images, at, key=_executed_at)
        return images[number - 1] if number else None

    def written(self) -> Iterable[Placed[FileChanged]]:
        """The changes after which a file was there."""
        return (change for change in self.files if change.of.change == FileChange.WRITTEN)


def _executed_at(image: Placed[Executed]) -> GuestTime:
    return image.of.at


def by_boot(boots: Iterable[BootRecord]) -> Mapping[int, Happened]:
    """What happened in each boot."""
    return {boot.number: Happened.of(boot) for boot in boots}
