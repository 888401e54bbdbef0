# SPDX-License-Identifier: GPL-3.0-only
"""What the witness saw in the guest. The guest's word for all of it is one JSON line (probe/WIRE.md).

Digests are sha256 in hex. Times of processes are GuestTime, times of files WallTime; `boot_wall` of a
look (wall clock minus CLOCK_BOOTTIME) joins the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.model.clock import GuestTime, WallTime


class PolicyKind(StrEnum):
    """The kinds of security policy that snapd writes, by file."""

    # seccomp/profiles/TAG, which snap-confine compiles at each start (until 2.26.4). Designs of 2017 put it
    # into profiles-v2, or into a directory below profiles, which profiles/current may name.
    SECCOMP_TEXT = "seccomp-text"
    SECCOMP_POINTER = "seccomp-pointer"
    SECCOMP_SOURCE = "seccomp-source"  # seccomp/bpf/TAG.src
    SECCOMP_BIN = "seccomp-bin"  # seccomp/bpf/TAG.bin, and global.bin
    SECCOMP_BIN2 = "seccomp-bin2"  # seccomp/bpf/TAG.bin2
    APPARMOR_SOURCE = "apparmor-source"  # apparmor/profiles/NAME
    APPARMOR_CACHE = "apparmor-cache"  # /var/cache/apparmor/FEATURES/NAME
    MOUNT = "mount"  # mount/snap.NAME.fstab
    DEVICE = "device"  # cgroup/snap.X.device


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapdSeen:
    """The daemon that runs: `exe` is what /proc/PID/exe says, `build_id` is read from that file.

    `tools` maps a tool beside it (snap-seccomp, snap-confine) to its build id.
    """

    pid: int
    exe: str
    build_id: str
    started: GuestTime
    tools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemKey:
    """/var/lib/snapd/system-key (snapd 2.32 and later)."""

    build_id: str
    version: int
    sha256: str
    changed: WallTime


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A policy file on disk.

    `changed` is the inode's ctime, which nobody can set back. `parts` are the digests of the programs
    inside (`allow`, `deny` of a bin2; `whole` of a bin, as the kernel gets them). `made_by` is the
    build id of the snap-seccomp named in a source's first line (snapd 2.39 and later).
    """

    path: str
    kind: PolicyKind
    name: str
    sha256: str
    size: int
    changed: WallTime
    modified: WallTime
    parts: Mapping[str, str] = field(default_factory=dict)
    made_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProfile:
    """An AppArmor profile that the kernel holds, with the kernel's own digests of it."""

    name: str
    mode: str
    raw_sha256: str = ""
    sha256: str = ""
    raw_sha1: str = ""
    sha1: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSeen:
    """One seccomp program of a process, read by PTRACE_SECCOMP_GET_FILTER; index 0 was loaded first."""

    index: int
    sha256: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSeen:
    """A process of a service and how the kernel confines it.

    `label` is AppArmor's (`unconfined`, or a profile's name), `seccomp_mode` the number in
    /proc/PID/status (2: filters). `problem` says why something could not be read.
    """

    pid: int
    ppid: int
    exe: str
    comm: str
    started: GuestTime
    label: str
    label_mode: str
    seccomp_mode: int
    filters: tuple[FilterSeen, ...] = ()
    main: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSeen:
    """What systemd says of a unit."""

    name: str
    load_state: str
    active_state: str
    sub_state: str
    result: str
    restarts: int = 0
    main_pid: int = 0
    exit_code: int = 0
    exit_status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSeen:
    """A snap service: its unit, its security tag (`snap.NAME.APP`) and its processes."""

    tag: str
    unit: UnitSeen
    processes: tuple[ProcessSeen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSeen:
    """A shell that was started under a service's security tag, as the service would be started now.

    `process` is None when it never came to be; `problem` says why.
    """

    tag: str
    process: ProcessSeen | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsSeen:
    """One of the last lines that a process of a failed service gave the journal, before it was gone."""

    tag: str
    pid: int
    at: GuestTime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One complete reading of the guest, by its witness.

    `unsettled` says what was still under way when waiting for calm ended (empty: the guest was
    settled). `problems` says what could not be read; a look with problems proves less, never more.
    """

    boot_id: str
    number: int
    reason: str
    at: GuestTime
    boot_wall: WallTime
    unsettled: tuple[str, ...]
    snapd: SnapdSeen | None
    snapd_unit: UnitSeen
    system_key: SystemKey | None
    files: tuple[PolicyFile, ...]
    profiles: tuple[LoadedProfile, ...]
    services: tuple[ServiceSeen, ...]
    failed_units: tuple[UnitSeen, ...] = ()
    problems: tuple[str, ...] = ()
    twins: tuple[TwinSeen, ...] = ()
    words: tuple[WordsSeen, ...] = ()
