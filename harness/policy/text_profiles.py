# SPDX-License-Identifier: GPL-3.0-only
"""Gives each text of a seccomp profile the program that a launcher made of it.

snap-confine until 2.26.4 compiles a text at each start, so no file holds the program that the kernel gets.
But libseccomp makes the same of the same text: what a service was started with, while that text lay on
disk from the launcher's execution on, is the text's program in the whole run. A filter that a compiled
file on disk holds was taken from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from harness.model.clock import GuestTime
from harness.model.observation import PolicyFile, PolicyKind
from harness.model.occurrence import FileChanged, Started
from harness.model.timeline import BootRecord, SeenLook, SeenOccurrence, Timeline
from harness.policy.disk import Disk
from harness.policy.happened import Happened, by_boot

_TEXT = PolicyKind.SECCOMP_TEXT
_PROGRAMS = (PolicyKind.SECCOMP_BIN, PolicyKind.SECCOMP_BIN2)
_LAUNCHER = "snap-confine"

_Made = Mapping[tuple[str, str], str]
"""The program's digest by the profile's name and the text's digest."""


def with_programs(timeline: Timeline) -> Timeline:
    """The timeline in which the files that are texts have their programs as the part ``whole``."""
    if not any(_has_text(boot) for boot in timeline.boots):
        return timeline
    made = _made(timeline)
    return replace(timeline, boots=tuple(_boot(boot, made) for boot in timeline.boots))


def _has_text(boot: BootRecord) -> bool:
    changes = (seen.occurrence for seen in boot.occurrences)
    return any(file.kind == _TEXT for seen in boot.looks for file in seen.look.files) or any(
        isinstance(change, FileChanged) and change.kind == _TEXT for change in changes
    )


def _made(timeline: Timeline) -> _Made:
    """Only what is the same in every start."""
    happened = by_boot(timeline.boots)
    looks = sorted((seen for boot in timeline.boots for seen in boot.looks), key=_order)
    disk = Disk.of(looks, happened)
    found: dict[tuple[str, str], set[str]] = {}
    for boot in happened.values():
        for key, program in _of_starts(boot, disk):
            found.setdefault(key, set()).add(program)
    return {key: min(programs) for key, programs in found.items() if len(programs) == 1}


def _order(seen: SeenLook) -> tuple[int, int]:
    return seen.taken.boot, seen.line


def _of_starts(happened: Happened, disk: Disk) -> Iterator[tuple[tuple[str, str], str]]:
    for starts in happened.starts.values():
        for _, start in starts:
            filters = start.process.filters if start.process else ()
            text = _text_read(happened, start, disk)
            if text and len(filters) == 1 and not _in_a_program(happened.boot, start, disk):
                yield (start.tag, text.sha256), filters[0].sha256


def _text_read(happened: Happened, start: Started, disk: Disk) -> PolicyFile | None:
    """The text that lay there all the while that the launcher ran."""
    images = (one.of for one in happened.images.get(start.pid, ()) if one.of.at <= start.at)
    launched = [one.at for one in images if one.exe.endswith(f"/{_LAUNCHER}")]
    if not launched:
        return None
    before, after = (_text_at(happened.boot, start.tag, at, disk) for at in (launched[-1], start.at))
    return after if before and after and before.sha256 == after.sha256 else None


def _text_at(boot: int, tag: str, at: GuestTime, disk: Disk) -> PolicyFile | None:
    return next(iter(disk.files((_TEXT,), tag, (boot, int(at)))), None)


def _in_a_program(boot: int, start: Started, disk: Disk) -> bool:
    files = disk.files(_PROGRAMS, start.tag, (boot, int(start.at)))
    loaded = {one.sha256 for one in start.process.filters} if start.process else set()
    return any(loaded & set(file.parts.values()) for file in files)


def _boot(boot: BootRecord, made: _Made) -> BootRecord:
    return replace(
        boot,
        looks=tuple(_look(seen, made) for seen in boot.looks),
        occurrences=tuple(_occurrence(seen, made) for seen in boot.occurrences),
    )


def _look(seen: SeenLook, made: _Made) -> SeenLook:
    files = tuple(
        replace(file, parts={"whole": made[file.name, file.sha256]})
        if file.kind == _TEXT and (file.name, file.sha256) in made
        else file
        for file in seen.look.files
    )
    return replace(seen, look=replace(seen.look, files=files))


def _occurrence(seen: SeenOccurrence, made: _Made) -> SeenOccurrence:
    change = seen.occurrence
    if not isinstance(change, FileChanged) or change.kind != _TEXT:
        return seen
    program = made.get((change.name, change.sha256))
    return replace(seen, occurrence=replace(change, parts={"whole": program})) if program else seen
