# SPDX-License-Identifier: GPL-3.0-only
"""Words of a scenario in the title of a step."""

from __future__ import annotations

_LONGEST = 60


def first_line(command: str) -> str:
    """As much of a shell command as a title has room for."""
    first, *others = command.strip().splitlines()
    if len(first) > _LONGEST:
        return f"{first[: _LONGEST - 2]} …"
    return f"{first} …" if others else first
