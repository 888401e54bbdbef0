# SPDX-License-Identifier: GPL-3.0-only
"""Reads whether a process has the mounts that its snap's mount profiles list: a `mount-profile` (WIRE.md).

snapd writes the desired profile; snap-update-ns makes its mounts in the snap's mount namespace and writes the
current one, of what it made. Both have lines as fstab(5), read as snapd reads them (osutil.ParseMountEntry).
"""

from __future__ import annotations

import os
import time

from .kernelfile import read_text
from .sha256 import hex_of
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DESIRED = "/var/lib/snapd/mount/{}.fstab"
CURRENT = "/run/snapd/ns/{}.fstab"
MOST_NAMED = 20
LARGEST = 1 << 20

# Entries that snap-update-ns makes without mounting, and those that it adds or keeps by itself.
NO_MOUNT = frozenset(("x-snapd.kind=symlink", "x-snapd.kind=ensure-dir"))
OF_ITS_OWN = frozenset(("x-snapd.synthetic", "x-snapd.origin=rootfs", "x-snapd.origin=overname"))
# An entry that may be left out when there is nothing to mount.
MAY_MISS = "x-snapd.ignore-missing"

_LEAST_FIELDS = 3
_POINT = 4  # the fifth field of proc_pid_mountinfo(5)


class Entry:
    """A line of a mount profile."""

    def __init__(self, source: str, point: str, options: Iterable[str]) -> None:
        self.source = source
        self.point = point
        self.options = frozenset(options)

    def is_mount(self) -> bool:
        """It asks for a mount, not for a link or a directory."""
        return not self.options & NO_MOUNT


class Profile:
    """A mount profile: `sha256` is empty when there is none; `changed` is of its directory then."""

    def __init__(
        self, sha256: str = "", entries: Iterable[Entry] = (), changed: int = 0, problem: str = ""
    ) -> None:
        self.sha256 = sha256
        self.entries = list(entries)
        self.changed = changed
        self.problem = problem


def read_mount_profile(
    at: int, tag: str, pid: int, now: Callable[[], int], proc: str = "/proc", root: str = ""
) -> JSON | None:
    """What a process that executed at `at` has of its snap's mounts; None when it has gone."""
    name = ".".join(tag.split(".")[:2])
    mounted = mount_points(pid, proc)
    if mounted is None or not name.startswith("snap."):
        return None
    wall = time.time_ns() - now()
    # After the mounts: whoever changes those writes the current profile last.
    paths = [root + pattern.format(name) for pattern in (DESIRED, CURRENT)]
    desired, current = (read_profile(path) for path in paths)
    late = max(desired.changed, current.changed) > at + wall
    problems = [desired.problem, current.problem, "a profile changed after the start" if late else ""]
    return {
        "type": "mount-profile",
        "desired": desired.sha256,
        "current": current.sha256,
        "missing": capped(entry.point for entry in current.entries if entry.point not in mounted),
        "pending": capped(pending(desired.entries, current.entries)),
        "surplus": capped(surplus(desired.entries, current.entries)),
        "namespace": namespace_of(pid, proc),
        "problem": "; ".join(filter(None, problems)),
    }


def pending(desired: Iterable[Entry], current: Iterable[Entry]) -> list[str]:
    """Where the desired profile asks for a mount that the current one does not have."""
    made = {(entry.source, entry.point) for entry in current}
    wanted = (entry for entry in desired if MAY_MISS not in entry.options)
    return [entry.point for entry in wanted if (entry.source, entry.point) not in made]


def surplus(desired: Iterable[Entry], current: Iterable[Entry]) -> list[str]:
    """Where the current profile has a mount that the desired one does not ask for, or no longer."""
    wanted = {(entry.source, entry.point) for entry in desired}
    made = (entry for entry in current if not entry.options & OF_ITS_OWN)
    return [entry.point for entry in made if (entry.source, entry.point) not in wanted]


def capped(points: Iterable[str]) -> list[str]:
    """The first of them, in order and each once."""
    return sorted(set(points))[:MOST_NAMED]


def read_profile(path: str) -> Profile:
    """A mount profile's mounts. A file that cannot be read, or a line that is no entry, is a problem."""
    try:
        with open(path, "rb") as file:
            changed, raw = os.fstat(file.fileno()).st_ctime_ns, file.read(LARGEST)
    except FileNotFoundError:
        return Profile(changed=_changed(os.path.dirname(path)))
    except OSError as error:
        return Profile(problem=f"cannot read {path}: {error.strerror}")
    lines = raw.decode("utf-8", "backslashreplace").split("\n")
    found = [(number, fields) for number, fields in enumerate(map(_fields, lines), start=1) if fields]
    bad = [number for number, fields in found if len(fields) < _LEAST_FIELDS]
    entries = [_entry(fields) for _, fields in found if len(fields) >= _LEAST_FIELDS]
    return Profile(
        hex_of(raw),
        [entry for entry in entries if entry.is_mount()],
        changed,
        f"line {bad[0]} of {path} is no mount entry" if bad else "",
    )


def _changed(directory: str) -> int:
    try:
        return os.stat(directory).st_ctime_ns
    except OSError:
        return 0


def _fields(line: str) -> list[str]:
    """The fields of a line; what follows a `#` at the beginning of one is a comment."""
    found: list[str] = []
    for field in line.replace("\t", " ").split(" "):
        if field.startswith("#"):
            break
        found += [field] if field else []
    return found


def _entry(fields: list[str]) -> Entry:
    options = unescaped(fields[3]).split(",") if len(fields) > _LEAST_FIELDS else []
    return Entry(unescaped(fields[0]), os.path.normpath(unescaped(fields[1])), options)


def unescaped(field: str) -> str:
    """A field with `\\040` and the like as the characters that they stand for."""
    first, *parts = field.split("\\")
    return first + "".join(_octal(part[:3]) + part[3:] for part in parts)


def _octal(digits: str) -> str:
    is_octal = len(digits) == 3 and all(digit in "01234567" for digit in digits)
    return chr(int(digits, 8)) if is_octal else f"\\{digits}"


def mount_points(pid: int, proc: str = "/proc") -> set[str] | None:
    """Where a process sees something mounted; None when it has gone."""
    try:
        lines = read_text(f"{proc}/{pid}/mountinfo").split("\n")
    except OSError:
        return None
    rows = (line.split(" ") for line in lines)
    return {unescaped(row[_POINT]) for row in rows if len(row) > _POINT}


def namespace_of(pid: int, proc: str = "/proc") -> str:
    """Whether its mount namespace is process 1's, when that can be read."""
    try:
        mine, first = (os.readlink(f"{proc}/{one}/ns/mnt") for one in (pid, 1))
    except OSError:
        return "unread"
    return "system" if mine == first else "own"
