# SPDX-License-Identifier: GPL-3.0-only
"""Durations as people write them: a number with its unit, never a bare number."""

from __future__ import annotations

import re

EXPECTED = "a number with a unit (ms, s, min or h), such as 90 s"
LONGEST = 7 * 24 * 3600.0

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_SHAPE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([^\W\d]*)", re.ASCII)
PATTERN = r"^[0-9]+(\.[0-9]+)?\s*(ms|s|min|h)$"


def parse(text: str) -> float:
    """Seconds; raises ValueError saying what is wrong with `text`."""
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration")
    number, unit = match.groups()
    if not unit:
        raise ValueError(f"{text!r} has no unit")
    if unit not in _SECONDS:
        raise ValueError(f"{unit!r} is not a unit of time")
    seconds = float(number) * _SECONDS[unit]
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"{text!r} is not between 1 ms and {show(LONGEST)}")
    return seconds


def show(seconds: float) -> str:
    """The duration in the largest unit that gives a whole number, such as ``2 min``."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    for unit in ("h", "min"):
        if seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g} {unit}"
    return f"{seconds:g} s"
