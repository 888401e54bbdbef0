# SPDX-License-Identifier: GPL-3.0-only
"""Lanes of held units: from when to when each was kept waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model.clock import GuestTime
from harness.model.plan import HoldUnit
from harness.model.timeline import BootRecord
from harness.policy.holds import Period, periods
from harness.report.strip import Bar, Lane, Stretch, seconds


def lanes(boot: BootRecord, holds: Sequence[HoldUnit], until: GuestTime) -> Iterator[Lane]:
    """A lane for each hold that kept its unit waiting in this boot."""
    for period in periods(boot):
        end = until if period.until is None else period.until
        place = f"witness.jsonl:{period.line}"
        bar = Bar(period.since, end, Stretch.HELD, told(period, holds), place)
        yield Lane(f"{_unit(period, holds)} held", (), (bar,))


def told(period: Period, holds: Sequence[HoldUnit]) -> str:
    """A period in words."""
    end = "the boot's end" if period.until is None else seconds(period.until)
    return f"{_unit(period, holds)} was held from {seconds(period.since)} to {end} (hold {period.hold})"


def _unit(period: Period, holds: Sequence[HoldUnit]) -> str:
    """The unit that was held; a guest may tell of holds that no plan has."""
    return next((hold.unit for hold in holds if hold.number == period.hold), "a unit")
