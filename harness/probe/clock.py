# SPDX-License-Identifier: GPL-3.0-only
"""Which boot this is, and what time in it."""

from __future__ import annotations

import time


def boot_id() -> str:
    """The kernel's name for this boot (random(4))."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def guest_time() -> int:
    """Nanoseconds of CLOCK_BOOTTIME."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
