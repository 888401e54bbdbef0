# SPDX-License-Identifier: GPL-3.0-only
"""What happened in a boot, start by start, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report.layout import Page, columns
from harness.report.starts import UNKNOWN, Start, telling
from harness.report.strip import counted, seconds

_SECOND, _TAG, _CLASS = 14, 38, 14
_MOST = 40


def story(starts: Sequence[Start], page: Page) -> Iterator[str]:
    """A line for each start: when, which service, what a finding calls it, and whose policy it got."""
    if not starts:
        return
    yield from page.line(f"{counted(len(starts), 'start')} of services:", indent=4)
    for start in telling(starts, _MOST):
        cells = (
            (seconds(start.at), _SECOND),
            (start.tag, _TAG),
            (start.kind or "-", _CLASS),
            (f"policy of {start.author or UNKNOWN}", 32),
        )
        yield "    " + columns(cells)
    if len(starts) > _MOST:
        yield from page.line(f"and {len(starts) - _MOST} more", indent=4)
