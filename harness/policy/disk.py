# SPDX-License-Identifier: GPL-3.0-only
"""Which policy files lay on disk at a moment, from the looks and from the changes that were seen.

A look tells of two moments: of its own, and by a file's ctime of the moment since when it is so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.model.observation import PolicyFile, PolicyKind
from harness.model.occurrence import FileChange
from harness.model.timeline import SeenLook
from harness.policy.happened import Happened
from harness.policy.kind import file_of

Moment = tuple[int, int]
"""A boot's number and a time in it."""

_Entry = tuple[Moment, int, PolicyFile | None]


@dataclass(frozen=True, slots=True)
class Disk:
    """The history of each policy file; `looked` are the moments of looks that read everything."""

    histories: Mapping[str, Sequence[_Entry]]
    paths: Mapping[tuple[PolicyKind, str], Sequence[str]]
    looked: Sequence[Moment]

    @classmethod
    def of(cls, looks: Sequence[SeenLook], happened: Mapping[int, Happened]) -> Disk:
        """Gather it from a whole run; `looks` are in order."""
        histories: dict[str, list[_Entry]] = {}
        names: dict[tuple[PolicyKind, str], dict[str, None]] = {}
        for path, entry in (*_from_looks(looks), *_from_changes(happened)):
            histories.setdefault(path, []).append(entry)
            if entry[2] is not None:
                names.setdefault((entry[2].kind, entry[2].name), {}).setdefault(path)
        looked = sorted(_moment(seen) for seen in looks if not seen.look.problems)
        _note_absence(histories, looks)
        for history in histories.values():
            history.sort(key=_when)
        return cls(histories, {key: tuple(paths) for key, paths in names.items()}, looked)

    def files(self, kinds: Iterable[PolicyKind], name: str, at: Moment) -> tuple[PolicyFile, ...]:
        """The files of that name that lay on disk then."""
        found = (self._at(path, at) for kind in kinds for path in self.paths.get((kind, name), ()))
        return tuple(file for file in found if file is not None)

    def is_known(self, at: Moment) -> bool:
        """Something had read the whole disk by then, so that what is not known of is not there."""
        return bool(self.looked) and self.looked[0] <= at

    def _at(self, path: str, at: Moment) -> PolicyFile | None:
        history = self.histories[path]
        number = bisect_right(history, at, key=_when)
        return history[number - 1][2] if number else None


def _when(entry: _Entry) -> Moment:
    return entry[0]


def _moment(seen: SeenLook) -> Moment:
    return seen.taken.boot, seen.look.at


def _from_looks(looks: Iterable[SeenLook]) -> Iterator[tuple[str, _Entry]]:
    for seen in looks:
        boot, at = _moment(seen)
        for file in seen.look.files:
            since = min(at, max(0, file.changed - seen.look.boot_wall))
            yield file.path, ((boot, since), seen.line, file)
            yield file.path, ((boot, at), seen.line, file)


def _from_changes(happened: Mapping[int, Happened]) -> Iterator[tuple[str, _Entry]]:
    for boot, one in happened.items():
        for line, change in one.files:
            file = file_of(change)
            if file is not None:
                there = file if change.change == FileChange.WRITTEN else None
                yield change.path, ((boot, change.at), line, there)


def _note_absence(histories: Mapping[str, list[_Entry]], looks: Iterable[SeenLook]) -> None:
    for seen in looks:
        if not seen.look.problems:
            for path in histories.keys() - {file.path for file in seen.look.files}:
                histories[path].append((_moment(seen), seen.line, None))
