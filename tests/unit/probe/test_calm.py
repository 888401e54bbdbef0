# SPDX-License-Identifier: GPL-3.0-only
"""Waiting for calm takes little of the guest that is waited for."""

from __future__ import annotations

from itertools import chain, repeat

import pytest

from harness.probe import bus, calm
from harness.probe.units import Units


class Guest:
    """Has a clock, and is busy with the lists given; each reading takes some time of it."""

    def __init__(self, takes: float, *busy: list[str]) -> None:
        self.now = 100.0
        self.pauses: list[float] = []
        self._takes = takes
        self._busy = chain(busy, repeat([]))

    def monotonic(self) -> float:
        return self.now

    def under_way(self, _units: Units) -> list[str]:
        self.now += self._takes
        return next(self._busy)

    def pause(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        self.now += seconds

    def calms_down(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        monkeypatch.setattr(calm, "under_way", self.under_way)
        monkeypatch.setattr(calm, "time", self)
        return calm.await_calm(Units(bus.Bus("/nonexistent")), seconds, self.pause)


@pytest.mark.parametrize(("takes", "pause"), [(0.001, 0.25), (0.1, 1.0), (0.9, 2.0)])
def test_the_dearer_a_busy_guest_is_to_ask_the_seldomer_it_is_asked(
    takes: float, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = Guest(takes, ["a"], ["b"])
    assert guest.calms_down(60, monkeypatch) == []
    assert guest.pauses == [pause, pause, calm.PAUSE, calm.PAUSE]


def test_what_is_under_way_at_the_end_of_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(0.5, *([f"job {n}"] for n in range(9)))
    assert guest.calms_down(4.9, monkeypatch) == ["job 2"]
    assert guest.pauses == [2.0, 1.9]
