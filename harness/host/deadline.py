# SPDX-License-Identifier: GPL-3.0-only
"""The only door to waiting: deadlines travel down the calls, and one function sleeps.

A time-out says how long, a deadline says until when; only the second can be handed on. All times
are seconds of CLOCK_MONOTONIC, which a change of the host's date does not move.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from harness.errors import CannotMeasure, TimedOut

T = TypeVar("T")


def monotonic() -> float:
    """The host's clock in seconds: the one that deadlines are read from."""
    return time.monotonic()


def monotonic_ns() -> int:
    """The same clock in nanoseconds: the one that host timestamps are read from."""
    return time.monotonic_ns()


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """A moment of the host's monotonic clock; the earlier one is the smaller one."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(monotonic() + seconds)

    @classmethod
    def never(cls) -> Deadline:
        return cls(math.inf)

    @property
    def remaining(self) -> float:
        """Seconds left, never negative; infinity for `never()`."""
        return max(0.0, self.at - monotonic())

    @property
    def expired(self) -> bool:
        return self.remaining == 0.0

    def earlier_of(self, other: Deadline) -> Deadline:
        return min(self, other)

    def at_most(self, seconds: float) -> Deadline:
        """This deadline, or `seconds` from now when that comes first."""
        return self.earlier_of(Deadline.after(seconds))


@dataclass(frozen=True, slots=True)
class Patience:
    """Makes deadlines out of nominal seconds: `factor` says how slow this host is.

    The factor is measured (see harness.qemu.accel), never set by hand; below 1 it counts as 1.
    """

    factor: float = 1.0

    def seconds(self, nominal: float) -> float:
        return nominal * max(1.0, self.factor)

    def deadline(self, nominal: float) -> Deadline:
        return Deadline.after(self.seconds(nominal))


@dataclass(frozen=True, slots=True)
class NotYet:
    """What a check returns when it saw something, and not what is being waited for."""

    saw: str


class Hopeless(CannotMeasure):
    """A check raises this (or any other exception) when waiting longer is of no use."""


def wait_until(
    check: Callable[[], T | NotYet | Literal[False] | None],
    deadline: Deadline,
    *,
    what: str,
    every: float = 0.05,
) -> T:
    """The first answer of `check` that is neither None, False nor NotYet.

    `check` is asked at least once, and once more when the deadline has passed. What it raises ends
    the wait at once.

    :raise TimedOut: naming `what`, the seconds waited and what was last seen.
    """
    began = monotonic()
    while True:
        last_try = deadline.expired
        answer = check()
        if not (answer is None or answer is False or isinstance(answer, NotYet)):
            return answer
        if last_try:
            raise _timed_out(what, monotonic() - began, answer)
        time.sleep(min(every, deadline.remaining))


def _timed_out(what: str, waited: float, answer: NotYet | Literal[False] | None) -> TimedOut:
    saw = f"; last seen: {answer.saw}" if isinstance(answer, NotYet) else ""
    return TimedOut(f"cannot wait longer for {what}: {waited:.1f} s have passed{saw}")
