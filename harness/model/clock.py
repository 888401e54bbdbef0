# SPDX-License-Identifier: GPL-3.0-only
"""Clocks, kept apart by type: the host's and each boot's."""

from __future__ import annotations

from typing import NewType

HostTime = NewType("HostTime", int)
"""Nanoseconds since the run began, on the host's monotonic clock."""

GuestTime = NewType("GuestTime", int)
"""Nanoseconds since the guest's kernel started (CLOCK_BOOTTIME); means nothing without its boot."""

WallTime = NewType("WallTime", int)
"""Nanoseconds since 1970 on the guest's real-time clock, as file systems stamp files with."""

SECOND = 1_000_000_000


def seconds(time: GuestTime) -> str:
    """A guest's time for people, to a hundredth; whole numbers all through, because a guest may say any."""
    hundredths = (time * 100 + SECOND // 2) // SECOND
    return f"{hundredths // 100}.{hundredths % 100:02d} s"
