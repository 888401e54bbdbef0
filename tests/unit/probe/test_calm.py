# SPDX-License-Identifier: GPL-3.0-only
"""Waiting for calm takes little of the guest that is waited for."""

from __future__ import annotations

from collections.abc import Iterator
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
        self.jobs: Iterator[list[str]] = repeat([])
        self.starts_until = 0.0

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
        monkeypatch.setattr(calm, "has_jobs", lambda _units: next(self.jobs))
        monkeypatch.setattr(calm, "time", self)
        units = Units(bus.Bus("/nonexistent"))
        return calm.await_calm(units, seconds, self.pause, lambda: self.now < self.starts_until)


@pytest.mark.parametrize(("takes", "pause"), [(0.001, 0.25), (0.03, 1.2), (0.9, 2.0)])
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


def test_while_there_are_jobs_nothing_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(0.5)
    guest.jobs = chain([["3 jobs"], ["1 jobs"]], repeat([]))
    assert guest.calms_down(60, monkeypatch) == []
    assert guest.now == pytest.approx(100 + calm.CALM_READINGS * 0.5 + sum(guest.pauses))
    assert len(guest.pauses) == 2 + calm.CALM_READINGS - 1


def test_at_the_end_of_time_it_says_which_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(0.0, ["a.service/start"])
    guest.jobs = repeat(["1 jobs"])
    assert guest.calms_down(1.0, monkeypatch) == ["a.service/start"]


def test_while_snapd_starts_systemd_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(0.0)
    guest.starts_until = 111.0
    asked: list[float] = []
    real = guest.under_way
    monkeypatch.setattr(guest, "under_way", lambda units: asked.append(guest.now) or real(units))
    assert guest.calms_down(60, monkeypatch) == []
    assert min(asked) >= 111.0
    assert guest.pauses[:5] == [calm.LONGEST_PAUSE] * 5


def test_a_snapd_that_starts_for_good_does_not_make_it_wait_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(0.0, ["snapd.service is activating (start)"])
    guest.starts_until = 1e9
    assert guest.calms_down(7, monkeypatch) == ["snapd.service is activating (start)"]
    assert guest.now == 107


def test_a_systemd_that_does_not_answer_is_under_way() -> None:
    (found,) = calm.has_jobs(Units(bus.Bus("/nonexistent")))
    assert found.startswith("systemd: ")
