# SPDX-License-Identifier: GPL-3.0-only
"""Gives each text of a seccomp profile the programs that launchers made of it.

snap-confine until 2.26.4 compiles a text at each start, so no file holds the program that the kernel gets.
But libseccomp makes the same of the same text, and so does one launcher: what a service was started with,
while that text lay on disk from the launcher's execution on, is what this launcher makes of it in the whole
run. A launcher that came with a core looks where that core's snapd writes. Where several texts lay there, it
is of the one of which nothing else is known to be made. Where snapd wrote another text meanwhile, nobody can
tell which was read; when the one before was that process's as well, the author is the same, and the program
is put down to the later. Where there was none when the launcher was executed, it waited for one. A filter
that a compiled file on disk holds was taken from there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import dropwhile

from harness.model.clock import GuestTime
from harness.model.observation import PolicyKind
from harness.model.occurrence import FileChanged, Started
from harness.model.timeline import BootRecord, SeenLook, SeenOccurrence, Timeline
from harness.policy.disk import Disk
from harness.policy.happened import Happened, by_boot
from harness.policy.looked_at import looked_at

_CORE = re.compile(r"/snap/[^/]+/[^/]+/")
_TEXT = PolicyKind.SECCOMP_TEXT
_PROGRAMS = (PolicyKind.SECCOMP_BIN, PolicyKind.SECCOMP_BIN2)
_LAUNCHER = "snap-confine"

_Made = Mapping[tuple[str, str], tuple[str, ...]]
"""The programs' digests by the profile's name and the text's digest."""

_Places = Mapping[str, Collection[str]]
"""The directories that each core's programs wrote texts to, by the core's own."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A start of the service `name`: the launcher of this build made `program` of one of `texts`.

    When one process wrote them all, one after the other, `last` is the last of them.
    """

    name: str
    texts: frozenset[str]
    launcher: str
    program: str
    last: str = ""


def with_programs(timeline: Timeline) -> Timeline:
    """The timeline in which the files that are texts have their programs as parts."""
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
    """Only what is the same in every start by the same launcher."""
    happened = by_boot(timeline.boots)
    looks = sorted((seen for boot in timeline.boots for seen in boot.looks), key=_order)
    disk = Disk.of(looks, happened)
    by_launcher: dict[tuple[str, str, str], set[str]] = {}
    places = _places(happened.values())
    open_yet = [reading for boot in happened.values() for reading in _of_starts(boot, disk, places)]
    while certain := [(one, text) for one in open_yet if (text := _the_text(one, by_launcher))]:
        for one, text in certain:
            by_launcher.setdefault((one.name, text, one.launcher), set()).add(one.program)
        done = {id(one) for one, _ in certain}
        open_yet = [one for one in open_yet if id(one) not in done]
    for one in open_yet:
        made = _by_text(one.name, by_launcher)
        if one.last and not any(one.program in made.get(text, ()) for text in one.texts):
            by_launcher.setdefault((one.name, one.last, one.launcher), {one.program})
    found: dict[tuple[str, str], set[str]] = {}
    for (name, text, _), programs in by_launcher.items():
        if len(programs) == 1:
            found.setdefault((name, text), set()).update(programs)
    return {key: tuple(sorted(programs)) for key, programs in found.items()}


def _the_text(reading: _Reading, known: Mapping[tuple[str, str, str], set[str]]) -> str | None:
    """The one text that the program can be of, so far as is known what others are made into."""
    if len(reading.texts) == 1:
        return min(reading.texts)
    made = _by_text(reading.name, known)
    fitting = [text for text in reading.texts if reading.program in made.get(text, {reading.program})]
    return fitting[0] if len(fitting) == 1 else None


def _by_text(of: str, known: Mapping[tuple[str, str, str], set[str]]) -> Mapping[str, set[str]]:
    """What is known to be made of each text of that name, by whichever launcher."""
    made: dict[str, set[str]] = {}
    for (name, text, _), programs in known.items():
        if name == of:
            made.setdefault(text, set()).update(programs)
    return made


def _order(seen: SeenLook) -> tuple[int, int]:
    return seen.taken.boot, seen.line


def _places(boots: Iterable[Happened]) -> _Places:
    found: dict[str, set[str]] = {}
    for happened in boots:
        for _, change in happened.written():
            image = happened.image(change.pid, change.at) if change.kind == _TEXT else None
            if image and (core := _core_of(image.of.exe)):
                found.setdefault(core, set()).add(posixpath.dirname(change.path))
    return found


def _core_of(exe: str) -> str:
    """The directory of the snap that a program lies in, if any."""
    inside = _CORE.match(exe)
    return inside.group() if inside else ""


def _of_starts(happened: Happened, disk: Disk, places: _Places) -> Iterator[_Reading]:
    for starts in happened.starts.values():
        for _, start in starts:
            filters = start.process.filters if start.process else ()
            if len(filters) == 1 and not _in_a_program(happened.boot, start, disk):
                yield from _reading(happened, start, filters[0].sha256, disk, places)


def _reading(
    happened: Happened, start: Started, program: str, disk: Disk, places: _Places
) -> Iterator[_Reading]:
    """What the texts say that lay there all the while that the launcher ran."""
    images = (one.of for one in happened.images.get(start.pid, ()) if one.of.at <= start.at)
    launched = [one for one in images if one.exe.endswith(f"/{_LAUNCHER}")]
    if launched:
        launcher = launched[-1]
        there = places.get(_core_of(launcher.exe), ())
        before, after = (
            _texts_at(happened.boot, start.tag, at, there, disk) for at in (launcher.at, start.at)
        )
        if after and before == after:
            yield _Reading(start.tag, frozenset(after.values()), launcher.build_id, program)
        elif len(after) == 1 and before.keys() <= after.keys():
            ((path, last),) = after.items()
            waited = not before and disk.is_known((happened.boot, int(launcher.at)))

            def is_first(one: FileChanged) -> bool:
                return one.at >= launcher.at if waited else one.sha256 == before.get(path)

            texts = _of_one_hand(happened, path, is_first, start.at)
            if last in texts:
                yield _Reading(start.tag, texts, launcher.build_id, program, last)


def _of_one_hand(
    happened: Happened, path: str, is_first: Callable[[FileChanged], bool], until: GuestTime
) -> frozenset[str]:
    """The texts that were written there in this boot from the first on; none when not all by one process."""
    there = (one.of for one in happened.written() if one.of.path == path and one.of.at <= until)
    writes = list(dropwhile(lambda one: not is_first(one), there))
    hands = {one.pid for one in writes}
    return frozenset(one.sha256 for one in writes) if len(hands) == 1 and all(hands) else frozenset()


def _texts_at(boot: int, tag: str, at: GuestTime, places: Collection[str], disk: Disk) -> Mapping[str, str]:
    """The digests of the texts of that name that a launcher could have read, by path."""
    return {file.path: file.sha256 for file in looked_at((_TEXT,), tag, (boot, int(at)), places, disk)}


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
        replace(file, parts=_parts(made[file.name, file.sha256]))
        if file.kind == _TEXT and (file.name, file.sha256) in made
        else file
        for file in seen.look.files
    )
    return replace(seen, look=replace(seen.look, files=files))


def _occurrence(seen: SeenOccurrence, made: _Made) -> SeenOccurrence:
    change = seen.occurrence
    if not isinstance(change, FileChanged) or change.kind != _TEXT:
        return seen
    programs = made.get((change.name, change.sha256), ())
    return replace(seen, occurrence=replace(change, parts=_parts(programs))) if programs else seen


def _parts(programs: tuple[str, ...]) -> Mapping[str, str]:
    """The part ``whole``; when launchers differ, ``whole-2`` and so on too."""
    return {f"whole-{n}" if n > 1 else "whole": program for n, program in enumerate(programs, start=1)}
