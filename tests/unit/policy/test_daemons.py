# SPDX-License-Identifier: GPL-3.0-only
"""Which snapd runs when in a boot, and when each was READY."""

from __future__ import annotations

from harness.model.clock import GuestTime
from harness.model.observation import UnitSeen
from harness.model.occurrence import Executed, UnitChanged
from harness.policy.daemons import UNIT, Daemons
from harness.policy.happened import Happened, Placed

OLD, NEW = "a" * 40, "b" * 40


def boot(*told: Executed | UnitChanged) -> Happened:
    happened = Happened(1)
    for line, one in enumerate(told, 1):
        if isinstance(one, Executed):
            happened.images.setdefault(one.pid, []).append(Placed(line, one))
        else:
            happened.units.setdefault(UNIT, []).append(Placed(line, one))
    return happened


def executed(at: int, pid: int, build: str) -> Executed:
    return Executed(at=GuestTime(at), pid=pid, exe=f"/snap/core/x{pid}/usr/lib/snapd/snapd", build_id=build)


def unit(at: int, state: str, pid: int) -> UnitChanged:
    seen = UnitSeen(name=UNIT, load_state="loaded", active_state=state, sub_state="", result="", main_pid=pid)
    return UnitChanged(at=GuestTime(at), unit=seen)


def test_each_has_the_ready_that_came_after_it() -> None:
    told = (executed(10, 1, OLD), unit(12, "active", 1), executed(20, 2, NEW), unit(25, "active", 2))
    assert [(d.build, d.ready) for d in Daemons.of(boot(*told), ()).all] == [(OLD, 12), (NEW, 25)]


def test_the_ready_of_the_one_before_is_not_its_own() -> None:
    told = (executed(10, 1, OLD), unit(12, "active", 1), executed(20, 2, NEW))
    assert [d.ready for d in Daemons.of(boot(*told), ()).all] == [12, None]


def test_one_that_did_not_come_so_far_has_no_ready_of_the_next() -> None:
    told = (executed(10, 1, OLD), executed(20, 2, NEW), unit(25, "active", 2))
    assert [d.ready for d in Daemons.of(boot(*told), ()).all] == [None, 25]


def test_one_of_which_only_systemd_tells_is_of_no_known_build() -> None:
    told = (executed(10, 1, OLD), unit(12, "active", 1), unit(30, "activating", 3), unit(34, "active", 3))
    daemons = Daemons.of(boot(*told), ())
    assert [(d.pid, d.build, d.since, d.ready) for d in daemons.all] == [(1, OLD, 10, 12), (3, "", 30, 34)]
    running = daemons.running(GuestTime(31))
    assert running is not None
    assert running.build == ""


def test_a_unit_that_ended_tells_of_none() -> None:
    told = (executed(10, 1, OLD), unit(12, "active", 1), unit(30, "failed", 3))
    assert [d.pid for d in Daemons.of(boot(*told), ()).all] == [1]
