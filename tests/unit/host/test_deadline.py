# SPDX-License-Identifier: GPL-3.0-only
"""Deadlines and the one function that waits."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CannotMeasure, TimedOut
from harness.host.deadline import Deadline, Hopeless, NotYet, Patience, wait_until

PAST = Deadline(0.0)


def test_a_passed_deadline_is_expired_and_has_nothing_left() -> None:
    assert PAST.expired
    assert PAST.remaining == 0.0


def test_never_does_not_expire() -> None:
    assert not Deadline.never().expired
    assert Deadline.never().remaining == float("inf")


def test_the_earlier_of_two_deadlines_wins_whichever_is_asked() -> None:
    assert PAST.earlier_of(Deadline.never()) == Deadline.never().earlier_of(PAST) == PAST
    assert PAST.at_most(1000) == PAST
    assert Deadline.never().at_most(1000).remaining <= 1000


@given(st.floats(0, 100), st.floats(0, 1000))
def test_patience_never_makes_time_shorter(factor: float, nominal: float) -> None:
    assert Patience(factor).seconds(nominal) >= nominal


def test_patience_stretches_by_the_measured_factor() -> None:
    assert Patience(3.0).seconds(10) == 30


def test_waiting_returns_the_first_answer() -> None:
    answers = iter([None, False, NotYet("a half"), "whole", "too late"])
    assert wait_until(lambda: next(answers), Deadline.never(), what="it", every=0) == "whole"


def test_zero_and_the_empty_string_are_answers() -> None:
    assert wait_until(lambda: 0, PAST, what="a status") == 0
    assert wait_until(lambda: "", PAST, what="an output") == ""


def test_the_check_is_asked_even_when_the_deadline_has_passed() -> None:
    assert wait_until(lambda: "there", PAST, what="it") == "there"


def test_time_out_names_what_was_awaited_and_what_was_last_seen() -> None:
    count = itertools.count(1)
    with pytest.raises(TimedOut, match=r"longer for the unit: .*last seen: activating ([2-9]|\d\d)"):
        wait_until(
            lambda: NotYet(f"activating {next(count)}"), Deadline.after(0.05), what="the unit", every=0.01
        )


def test_a_hopeless_check_ends_the_wait() -> None:
    def check() -> None:
        raise Hopeless("the unit has failed")

    with pytest.raises(CannotMeasure, match="has failed"):
        wait_until(check, Deadline.never(), what="the unit")
