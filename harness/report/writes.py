# SPDX-License-Identifier: GPL-3.0-only
"""Every change of security policy that a run saw, boot by boot, with who made what is in it.

A change that the witness saw happen has its writer. For one that only left its mark on the disk (a look
tells each file's change time, which no program can set back) there is no writer, only the time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.model.clock import GuestTime, WallTime
from harness.model.observation import PolicyFile, PolicyKind
from harness.model.occurrence import Executed, FileChange, FileChanged, ProfileChange, ProfileChanged
from harness.model.timeline import BootRecord, SeenLook, SeenOccurrence, Timeline
from harness.policy.apparmor import digest_of
from harness.policy.builds import short
from harness.policy.knowledge import Knowledge
from harness.policy.part import authors_of
from harness.report.strip import Shape

SECCOMP, APPARMOR, MOUNT, DEVICE, KEY = "seccomp", "AppArmor", "mount", "device", "system-key"
LANES = (KEY, SECCOMP, APPARMOR, MOUNT, DEVICE)

_LANE_OF = {
    PolicyKind.SECCOMP_TEXT: SECCOMP,
    PolicyKind.SECCOMP_POINTER: SECCOMP,
    PolicyKind.SECCOMP_SOURCE: SECCOMP,
    PolicyKind.SECCOMP_BIN: SECCOMP,
    PolicyKind.SECCOMP_BIN2: SECCOMP,
    PolicyKind.APPARMOR_SOURCE: APPARMOR,
    PolicyKind.APPARMOR_CACHE: APPARMOR,
    PolicyKind.MOUNT: MOUNT,
    PolicyKind.DEVICE: DEVICE,
}
_KEY_PATH = "/var/lib/snapd/system-key"


@dataclass(frozen=True, slots=True)
class Write:
    """A change: `digests` identify the policy that it put there, `author` names the snapd that makes it.

    `path` is empty for what only the kernel holds.
    """

    boot: int
    at: GuestTime
    lane: str
    shape: Shape
    name: str
    digests: frozenset[str]
    author: str
    says: str
    place: str
    path: str = ""


def writes(timeline: Timeline, known: Knowledge) -> dict[int, tuple[Write, ...]]:
    """The changes of each boot, in the order of its clock."""
    found = {boot.number: list(_of_occurrences(boot, known)) for boot in timeline.boots}
    seen = {(write.boot, write.path) for changes in found.values() for write in changes}
    for write in _of_looks(timeline, known):
        if (write.boot, write.path) not in seen:
            found[write.boot].append(write)
    return {boot: tuple(sorted(changes, key=lambda w: w.at)) for boot, changes in found.items()}


def _of_occurrences(boot: BootRecord, known: Knowledge) -> Iterator[Write]:
    programs: dict[int, str] = {}
    for seen in boot.occurrences:
        match seen.occurrence:
            case Executed(pid=pid, exe=exe):
                programs[pid] = base(exe)
            case FileChanged() as change:
                yield _file(boot.number, seen, change, programs.get(change.pid, ""), known)
            case ProfileChanged() as change:
                yield _profile(boot.number, seen, change, known)
            case _:
                pass


def _file(boot: int, seen: SeenOccurrence, change: FileChanged, program: str, known: Knowledge) -> Write:
    digests = frozenset(digest for digest in (change.sha256, *change.parts.values()) if digest)
    writer = f"{program} ({change.pid})" if program else f"process {change.pid}"
    deleted = change.change == FileChange.DELETED
    author = _author(known, change.kind, change.name, digests)
    return Write(
        boot=boot,
        at=change.at,
        lane=_lane(change.kind, change.path),
        shape=Shape.DELETED if deleted else Shape.WRITTEN,
        name=change.name,
        digests=frozenset() if deleted else digests,
        author=author,
        says=f"{base(change.path)} {change.change} by {writer}{_content(change.sha256, author)}",
        place=f"witness.jsonl:{seen.line}",
        path=change.path,
    )


def _profile(boot: int, seen: SeenOccurrence, change: ProfileChanged, known: Knowledge) -> Write:
    profile = change.profile
    digest = digest_of(profile) if profile else ""
    author = _names(known, authors_of(known.authors.of_profile(profile))) if profile else ""
    removed = change.change == ProfileChange.REMOVE
    word = change.change.value.removeprefix("profile_") + (
        ", the same as before," if change.unchanged else ""
    )
    return Write(
        boot=boot,
        at=change.at,
        lane=APPARMOR,
        shape=Shape.DELETED if removed else Shape.LOADED,
        name=change.name,
        digests=frozenset() if removed or not digest else frozenset({digest}),
        author=author,
        says=f"{change.name} in the kernel: {word} by {change.comm} ({change.pid}){_content(digest, author)}",
        place=f"witness.jsonl:{seen.line}",
    )


def _of_looks(timeline: Timeline, known: Knowledge) -> Iterator[Write]:
    """What the files' change times tell of, each change once and in the boot whose clock it lies in."""
    walls = sorted((boot.looks[-1].look.boot_wall, boot.number) for boot in timeline.boots if boot.looks)
    told: set[tuple[str, int, GuestTime]] = set()
    for boot in timeline.boots:
        for seen in boot.looks:
            for write in _of_look(seen, walls, known):
                key = (write.path, write.boot, write.at)
                if key not in told:
                    told.add(key)
                    yield write


def _of_look(seen: SeenLook, walls: list[tuple[WallTime, int]], known: Knowledge) -> Iterator[Write]:
    for file in seen.look.files:
        if placed := _placed(file.changed, walls):
            yield _left(file, placed, seen.line, known)
    key = seen.look.system_key
    if key and (placed := _placed(key.changed, walls)):
        author = known.builds.name(key.build_id)
        says = f"system-key was last changed then, and names {author}"
        boot, at = placed
        place = f"witness.jsonl:{seen.line}"
        yield Write(boot, at, KEY, Shape.WRITTEN, "", frozenset({key.sha256}), author, says, place, _KEY_PATH)


def _left(file: PolicyFile, placed: tuple[int, GuestTime], line: int, known: Knowledge) -> Write:
    digests = frozenset(digest for digest in (file.sha256, *file.parts.values()) if digest)
    author = _author(known, file.kind, file.name, digests)
    boot, at = placed
    return Write(
        boot=boot,
        at=at,
        lane=_LANE_OF[file.kind],
        shape=Shape.WRITTEN,
        name=file.name,
        digests=digests,
        author=author,
        says=f"{base(file.path)} was last changed then{_content(file.sha256, author)}",
        place=f"witness.jsonl:{line}",
        path=file.path,
    )


def _placed(changed: WallTime, walls: list[tuple[WallTime, int]]) -> tuple[int, GuestTime] | None:
    index = bisect_right(walls, changed, key=lambda wall: wall[0]) - 1
    return (walls[index][1], GuestTime(changed - walls[index][0])) if index >= 0 else None


def _lane(kind: PolicyKind | None, path: str) -> str:
    if kind is not None:
        return _LANE_OF[kind]
    return KEY if path == _KEY_PATH else MOUNT


def _author(known: Knowledge, kind: PolicyKind | None, name: str, digests: Iterable[str]) -> str:
    if kind is None:
        return ""
    claims = (known.authors.of_digest(kind, name, digest) for digest in digests)
    return _names(known, authors_of(claim for found in claims for claim in found))


def _names(known: Knowledge, builds: Iterable[str]) -> str:
    return "/".join(known.builds.name(build) for build in builds)


def _content(digest: str, author: str) -> str:
    said = f": {short(digest)}" if digest else ""
    return f"{said}, policy of {author}" if author else said


def base(path: str) -> str:
    """A path's last name."""
    return path.removesuffix(" (deleted)").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Makings:
    """Where each policy content was put in place: looked up by lane, name and digest."""

    found: Mapping[tuple[str, str, str], tuple[Write, ...]]

    @classmethod
    def of(cls, changes: Mapping[int, tuple[Write, ...]]) -> Makings:
        """Order all changes of a run, the earliest first."""
        found: dict[tuple[str, str, str], list[Write]] = {}
        for boot in sorted(changes):
            for write in changes[boot]:
                for digest in write.digests:
                    found.setdefault((write.lane, write.name, digest), []).append(write)
        return cls({key: tuple(made) for key, made in found.items()})

    def latest(self, key: tuple[str, str, str], boot: int, at: GuestTime, slack: GuestTime) -> Write | None:
        """The latest making until a moment of a boot, else one until `slack`; see Started.read_at."""
        made = self.found.get(key, ())
        for until in (at, slack):
            index = bisect_right(made, (boot, until), key=lambda write: (write.boot, write.at)) - 1
            if index >= 0:
                return made[index]
        return None
