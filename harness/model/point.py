# SPDX-License-Identifier: GPL-3.0-only
"""Points of a run that are waited for: what the witness tells of, or a time."""

from __future__ import annotations

import fnmatch
import posixpath
from dataclasses import dataclass

from harness.model.occurrence import Executed, FileChange, FileChanged, Occurrence, UnitChanged

# What the witness tells of (harness.probe.files, harness.probe.filewatch, harness.probe.execs): a point among
# anything else would never be reached.
WITNESSED_FILES = (
    "/var/lib/snapd/system-key",
    "/var/lib/snapd/seccomp/bpf/*.src",
    "/var/lib/snapd/seccomp/bpf/*.bin",
    "/var/lib/snapd/seccomp/bpf/*.bin2",
    "/var/lib/snapd/seccomp/profiles/snap.*",
    "/var/lib/snapd/seccomp/profiles/*/snap.*",
    "/var/lib/snapd/seccomp/profiles-v2/snap.*",
    "/var/lib/snapd/seccomp/profiles/current",
    "/var/lib/snapd/apparmor/profiles/*",
    "/var/cache/apparmor/*/snap*",
    "/var/lib/snapd/mount/*.fstab",
    "/var/lib/snapd/cgroup/*.device",
    "/run/snapd/ns/*.mnt",
    "/run/snapd/ns/*.fstab",
    "/run/snapd/ns/*.info",
)
WITNESSED_PROGRAMS = (
    "snapd",
    "snap",
    "snap-confine",
    "snap-exec",
    "snap-update-ns",
    "snap-discard-ns",
    "snap-seccomp",
    "snap-failure",
    "snapd-apparmor",
    "apparmor_parser",
)


@dataclass(frozen=True, slots=True)
class FileWritten:
    """A file whose path matches `glob` was written, or renamed into place; `*` also stands for slashes."""

    glob: str


@dataclass(frozen=True, slots=True)
class UnitReady:
    """A unit became active; of snapd.service that is its READY."""

    unit: str


@dataclass(frozen=True, slots=True)
class ProgramExecuted:
    """A program was executed: its file's name."""

    name: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """So many nominal seconds have passed since the wait for it began."""

    seconds: float


WitnessedPoint = FileWritten | UnitReady | ProgramExecuted
Point = FileWritten | UnitReady | ProgramExecuted | TimePassed


def is_reached(point: WitnessedPoint, occurrence: Occurrence) -> bool:
    """Whether this occurrence is what is waited for."""
    match point, occurrence:
        case FileWritten(glob), FileChanged(change=FileChange.WRITTEN, path=path):
            return fnmatch.fnmatchcase(path, glob)
        case UnitReady(name), UnitChanged(unit=unit):
            return unit.name == name and unit.active_state == "active"
        case ProgramExecuted(name), Executed(exe=exe):
            return posixpath.basename(exe) == name
        case _:
            return False


def can_be_written(glob: str) -> bool:
    """Whether the witness tells of a file that `glob` could match."""
    return any(_overlap(glob, each) for each in WITNESSED_FILES)


def _overlap(one: str, other: str) -> bool:
    """Whether some text matches both globs; a class in brackets counts as any one character."""
    reachable = {(0, 0)}
    todo = [(0, 0)]
    while todo:
        a, b = todo.pop()
        for step in _steps(one, other, a, b):
            if step not in reachable:
                reachable.add(step)
                todo.append(step)
    return (len(one), len(other)) in reachable


def _steps(one: str, other: str, a: int, b: int) -> list[tuple[int, int]]:
    """From a place in each glob, the places after one character more, or after a star that ends there."""
    found = []
    x, y = one[a : a + 1], other[b : b + 1]
    after_x, after_y = _after(one, a), _after(other, b)
    if x == "*":
        found += [(a + 1, b), *([(a, after_y)] if y else [])]
    if y == "*":
        found += [(a, b + 1), *([(after_x, b)] if x else [])]
    if x and y and "*" not in (x, y) and (x == y or x in "?[" or y in "?["):
        found.append((after_x, after_y))
    return found


def _after(glob: str, place: int) -> int:
    closed = glob.find("]", place + 2) if glob[place : place + 1] == "[" else -1
    return closed + 1 if closed > 0 else place + 1
