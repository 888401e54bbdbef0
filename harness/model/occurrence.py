# SPDX-License-Identifier: GPL-3.0-only
"""What the witness saw happen in the guest, as it happened (probe/WIRE.md says how each is seen).

A look says how things stand; an occurrence says that something was done, by which process and when. All
times are GuestTime of the boot. `at` is the moment itself where the source has a clock of its own (the
kernel's trace, systemd); it is when the witness read of it, which is later, for files and profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.model.clock import GuestTime
from harness.model.observation import LoadedProfile, PolicyKind, ProcessSeen, UnitSeen


class Source(StrEnum):
    """Where occurrences come from; each has its own beginning and its own ways of losing some."""

    EXECS = "execs"  # the kernel's trace: every program executed
    FILTERS = "filters"  # the kernel's trace: every seccomp filter installed
    PROFILES = "profiles"  # the kernel's audit: every AppArmor profile loaded, replaced or removed
    FILES = "files"  # fanotify: policy files, the system-key, compile caches, mount namespaces
    UNITS = "units"  # systemd's signals: state changes of snapd's and the snaps' units
    STARTS = "starts"  # the kernel's policy of each service, read when it executed


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """From `since` on (0: the kernel's own start) nothing of `source` is missed, unless a Lost says so."""

    at: GuestTime
    source: Source
    since: GuestTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Something of `source` between `since` and `at` may not have been seen; `why` is for people."""

    at: GuestTime
    source: Source
    since: GuestTime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A process executed a program.

    `ppid`, `argv` and `unit` (of its control group) are empty when it had gone before they were read;
    `build_id` is read for snapd's own programs and for the programs of snaps.
    """

    at: GuestTime
    pid: int
    exe: str
    ppid: int = 0
    build_id: str = ""
    argv: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterInstalled:
    """A process gave itself a seccomp filter."""

    at: GuestTime
    pid: int


class ProfileChange(StrEnum):
    """What the kernel did with an AppArmor profile; the words are its audit records'."""

    LOAD = "profile_load"
    REPLACE = "profile_replace"
    REMOVE = "profile_remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged:
    """The kernel took or dropped an AppArmor profile, given by process `pid` (`comm`).

    `unchanged` tells that the kernel already had the same ("same as current profile, skipping").
    `profile` is what the kernel held when it was read, right afterwards; None when it held none.
    """

    at: GuestTime
    change: ProfileChange
    name: str
    pid: int
    comm: str
    unchanged: bool = False
    profile: LoadedProfile | None = None


class FileChange(StrEnum):
    """What happened to a file."""

    WRITTEN = "written"  # closed after writing, or renamed into place
    DELETED = "deleted"  # unlinked, or renamed away


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanged:
    """A file that matters was changed by process `pid`.

    `kind` is None for files that are no policy (the system-key, mount namespaces). Digests are of the
    content when it was read, right afterwards; empty when it was gone or unreadable by then.
    """

    at: GuestTime
    change: FileChange
    path: str
    pid: int
    kind: PolicyKind | None = None
    name: str = ""
    sha256: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    made_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitChanged:
    """A unit's state changed; `at` is systemd's own stamp. snapd.service turning active is its READY."""

    at: GuestTime
    unit: UnitSeen


class Namespace(StrEnum):
    """Whose mount namespace a process is in."""

    OWN = "own"  # another than process 1's: one that was made for its snap
    SYSTEM = "system"  # process 1's, which no strictly confined snap's service is left in
    UNREAD = "unread"


@dataclass(frozen=True, slots=True, kw_only=True)
class MountProfile:
    """What a process has of the mounts that its snap's mount profiles list.

    `desired` (snapd's) and `current` (snap-update-ns's) are the sha256 of the profiles, empty when there was
    none. Each of the others are mount points, sorted, the first twenty: `missing` are in the current
    profile and not mounted, `pending` in the desired one and not in the current one, `surplus` the opposite,
    without what snap-update-ns adds by itself. `problem` says why what was read need not be of the start.
    """

    desired: str = ""
    current: str = ""
    missing: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    namespace: Namespace = Namespace.UNREAD
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A snap's service was executed: process `pid` went from the launcher to the snap's own program.

    `at` is when it executed, `read_at` when its confinement had been read. `process` is None when it
    had gone before. `profile` is the kernel's profile of that name at the time of reading. `mounts` is
    the sha256 of its mount table without the numbers that change (empty: not read), `device` the
    device control group or map that it is in (empty: none). `mount_profile` is None when it was not read.
    """

    at: GuestTime
    read_at: GuestTime
    tag: str
    pid: int
    exe: str
    process: ProcessSeen | None = None
    profile: LoadedProfile | None = None
    mounts: str = ""
    device: str = ""
    mount_profile: MountProfile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A unit has been kept waiting since `since` by the plan's hold of number `hold`; times are systemd's.

    Told when its waiting begins, as far as that can be seen, and when it is `over`.
    """

    at: GuestTime
    hold: int
    since: GuestTime
    over: bool


Occurrence = (
    Watching | Lost | Executed | FilterInstalled | ProfileChanged | FileChanged | UnitChanged | Started | Held
)
