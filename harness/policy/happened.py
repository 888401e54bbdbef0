# SPDX-License-Identifier: GPL-3.0-only
"""One boot's occurrences, sorted by kind and by what they are about, so that each is found at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from harness.model.clock import GuestTime
from harness.model.occurrence import (
    Executed,
    FileChange,
    FileChanged,
    FilterInstalled,
    Lost,
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
    watching: dict[Source, Placed[Watching]] = field(default_factory=dict)
    lost: list[Placed[Lost]] = field(default_factory=list)

    @classmethod
    def of(cls, boot: BootRecord) -> Happened:
        """Sort a boot's occurrences."""
        found = cls(boot.number)
        for seen in boot.occurrences:
            found._note(seen.line, seen.occurrence)
        return found

    def _note(self, line: int, one: object) -> None:
        match one:
            case Executed(pid=pid):
                self.images.setdefault(pid, []).append(Placed(line, one))
            case FilterInstalled(pid=pid, at=at):
                self.filters.setdefault(pid, []).append(at)
            case Started(tag=tag):
                self.starts.setdefault(tag, []).append(Placed(line, one))
            case UnitChanged(unit=unit):
                self.units.setdefault(unit.name, []).append(Placed(line, one))
            case FileChanged():
                self.files.append(Placed(line, one))
            case Watching(source=source, since=since):
                known = self.watching.get(source)
                if known is None or since < known.of.since:
                    self.watching[source] = Placed(line, one)
            case Lost():
                self.lost.append(Placed(line, one))
            case _:
                pass

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
