# SPDX-License-Identifier: GPL-3.0-only
"""One boot on its own clock, as every page shows it: lanes of marks and bars, and arrows between them.

All times are GuestTime: nanoseconds since the boot's kernel started. What is only known by the host's
clock is `approximate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.clock import SECOND, GuestTime

_MILLISECOND = SECOND // 1000


class Shape(StrEnum):
    """What a mark stands for."""

    WRITTEN = "written"  # a policy file or the system-key was written
    DELETED = "deleted"  # it was removed
    LOADED = "loaded"  # the kernel took or dropped an AppArmor profile
    STARTED = "started"  # a service was executed
    READY = "ready"  # snapd said that it is ready
    ENDED = "ended"  # a unit ended, and nothing was wrong with that
    FAILED = "failed"  # a unit failed, or a check was not passed
    LOOKED = "looked"  # the witness looked, or a check was passed
    UNKNOWN = "unknown"  # a check could not be read, or the witness missed something
    MACHINE = "machine"  # QEMU said something
    TROUBLE = "trouble"  # the console shows a kernel in trouble


class Stretch(StrEnum):
    """What goes on for the length of a bar."""

    STARTING = "starting"  # snapd was executed and is not ready
    READY = "ready"  # snapd is ready
    SEEN = "seen"  # snapd was seen to run
    WAITING = "waiting"  # the service's process is still the launcher
    RUNNING = "running"  # the service's own program runs
    HELD = "held"  # a unit that was to start is kept waiting
    STEP = "step"  # a step of the plan is carried out


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment. `place` is where it stands in the record, `count` how many alike were merged into it.

    `author` names the snapd whose policy it is about, `finding` the number of the finding that says
    VIOLATED of it (0: none).
    """

    at: GuestTime
    shape: Shape
    says: str
    place: str = ""
    author: str = ""
    finding: int = 0
    approximate: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time; its fields mean what they mean in a mark."""

    since: GuestTime
    until: GuestTime
    stretch: Stretch
    says: str
    place: str = ""
    author: str = ""
    finding: int = 0
    approximate: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything of one kind, in the order of time; `left_out` counts what was too much to show."""

    name: str
    marks: tuple[Mark, ...] = ()
    bars: tuple[Bar, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """From a policy's making to the start that used it, both by their lanes' names.

    `since` is None when it was made in an earlier boot, or when nobody saw it made. `brief` is what there
    is room for on a narrow page. `broken` edges are the ones that a finding says VIOLATED of.
    """

    lane: str
    since: GuestTime | None
    to_lane: str
    until: GuestTime
    says: str
    brief: str
    author: str = ""
    broken: bool = False
    finding: int = 0


@dataclass(frozen=True, slots=True)
class Strip:
    """A boot from `since` (0: its kernel's start) to `until`; `notes` say what its picture cannot."""

    boot: int
    since: GuestTime
    until: GuestTime
    lanes: tuple[Lane, ...]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()


def counted(number: int, thing: str) -> str:
    """``1 start``, ``2 starts``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def seconds(time: int) -> str:
    """A time for people, to the millisecond; whole numbers all through, because a guest may say any."""
    whole, thousandths = divmod((abs(time) + _MILLISECOND // 2) // _MILLISECOND, 1000)
    return f"{'-' if time < 0 else ''}{whole}.{thousandths:03d} s"
