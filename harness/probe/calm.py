# SPDX-License-Identifier: GPL-3.0-only
"""Waits until the guest has nothing left to do."""

from __future__ import annotations

import time

from . import daemon
from .bus import BusError
from .units import Units
from .wire import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SNAPD = "snapd.service"
# A question to systemd costs milliseconds, so that asking again is cheaper than any event source.
PAUSE = 0.25
# A reading asks PID 1 a dozen questions, which in an emulated guest costs both 0.2 s of CPU time, just when
# services are being started. While something is under way, the next one waits for many times what that took.
LEISURE = 40
LONGEST_PAUSE = 2.0
# Calm must last: between one job and the next that it leads to there is a moment without any.
CALM_READINGS = 3


def await_calm(
    units: Units,
    seconds: float,
    pause: Callable[[float], None] = time.sleep,
    is_starting: Callable[[], bool] = lambda: False,
) -> list[str]:
    """What is still under way after at most `seconds`; empty when nothing was, for some readings in a row.

    While `is_starting`, which asks nobody, there is no calm, and systemd is not asked.
    """
    ends = time.monotonic() + seconds
    calm = 0
    while True:
        while is_starting() and (remaining := ends - time.monotonic()) > 0:
            pause(min(LONGEST_PAUSE, remaining))
        began = time.monotonic()
        left = under_way(units) if began >= ends else has_jobs(units) or under_way(units)
        ended = time.monotonic()
        calm = 0 if left else calm + 1
        if calm == CALM_READINGS:
            return []
        if ended >= ends:
            return left
        leisure = min(LEISURE * (ended - began), LONGEST_PAUSE) if left else 0.0
        pause(min(max(PAUSE, leisure), ends - ended))


def has_jobs(units: Units) -> list[str]:
    """Whether systemd has any, at the price of one number."""
    try:
        jobs = units.job_count()
    except BusError as error:
        return [f"systemd: {error.strerror}"]
    return [f"{jobs} jobs"] if jobs else []


def under_way(units: Units) -> list[str]:
    """What the guest is busy with: the first of jobs, snapd's own start, launching services, changes."""
    try:
        return (
            units.jobs()
            or _of_snapd(units)
            or units.still_launching()
            or _changes(units)
        )  # fmt: skip
    except BusError as error:
        return [f"systemd: {error.strerror}"]


def _of_snapd(units: Units) -> list[str]:
    active, sub = units.state(SNAPD)
    return [f"{SNAPD} is {active} ({sub})"] if active in ("activating", "deactivating", "reloading") else []


def _changes(units: Units) -> list[str]:
    if units.state(SNAPD)[0] != "active":
        return []
    try:
        return daemon.changes_under_way()
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"snapd does not answer: {error}"]
