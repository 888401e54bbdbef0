# SPDX-License-Identifier: GPL-3.0-only
"""What can be made to go wrong around the guest and in it, from a point of a run to another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SNAPD = "snapd"
COMPILERS = ("snap-seccomp", "apparmor_parser")


class Direction(StrEnum):
    """Which requests to a disk fail."""

    READS = "reads"
    WRITES = "writes"


@dataclass(frozen=True, slots=True)
class FullDisk:
    """The file system with snapd's state has no room left, not for root either."""


@dataclass(frozen=True, slots=True)
class SlowDisk:
    """The root disk takes no more than so many requests and bytes a second; 0 sets no bound."""

    iops: int = 0
    bps: int = 0


@dataclass(frozen=True, slots=True)
class IoErrors:
    """Every request of this direction to the root disk fails (EIO)."""

    fail: Direction


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The cable of a network interface is out."""

    interface: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """snapd's processes are stopped, and go on afterwards; a reboot ends it too."""

    what: str = SNAPD


@dataclass(frozen=True, slots=True)
class Killed:
    """snapd's processes get SIGKILL, once; systemd does what it does then."""

    what: str = SNAPD


@dataclass(frozen=True, slots=True)
class Slow:
    """Each execution of a policy compiler takes so many nominal seconds longer, before its first instruction.

    Of snapd: it sleeps between its start and its going over the policy (SNAPD_SLOW_STARTUP, 2.42 and later).
    """

    program: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Failing:
    """A policy compiler cannot be executed (EPERM)."""

    program: str


@dataclass(frozen=True, slots=True)
class Dying:
    """A policy compiler is killed (SIGKILL) each time that it is executed, before its first instruction.

    With `given`, only where that is one of its arguments: snapd also asks its compilers who they are.
    """

    program: str
    given: str = ""


Fault = FullDisk | SlowDisk | IoErrors | LinkDown | Frozen | Killed | Slow | Failing | Dying
