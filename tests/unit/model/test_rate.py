# SPDX-License-Identifier: GPL-3.0-only
"""Bounds of a rate: known values, and what must be true of all of them."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.rate import Rate, needed

counts = st.integers(1, 80).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


def at_most(count: int, of: int, rate: float) -> float:
    return sum(comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(count + 1))


# Clopper and Pearson's intervals as tables of the binomial distribution and of beta's quantiles have them.
@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (3, 20, 0.0321, 0.3789),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (0, 10, 0.0, 0.3085),
        (10, 10, 0.6915, 1.0),
        (0, 59, 0.0, 0.0606),
        (500, 1000, 0.4685, 0.5315),
    ],
)
def test_known_intervals(count: int, of: int, low: float, high: float) -> None:
    assert Rate(count, of).interval == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("of", "below"), [(59, 0.0495), (20, 0.1391), (299, 0.00997), (1, 0.95)])
def test_known_bounds_of_what_never_came(of: int, below: float) -> None:
    assert Rate(0, of).below == pytest.approx(below, abs=5e-5)
    assert Rate(0, of).below == pytest.approx(1 - 0.05 ** (1 / of))
    assert Rate(of, of).above == pytest.approx(1 - below, abs=5e-5)


@settings(deadline=None, max_examples=40)
@given(counts)
def test_a_bound_is_where_the_tail_has_its_error(pair: tuple[int, int]) -> None:
    count, of = pair
    low, high = Rate(count, of).interval
    assert 0 <= low <= count / of <= high <= 1
    if count < of:
        assert at_most(count, of, high) == pytest.approx(0.025, rel=1e-6)
        assert at_most(count, of, Rate(count, of).below) == pytest.approx(0.05, rel=1e-6)
    if count > 0:
        assert 1 - at_most(count - 1, of, low) == pytest.approx(0.025, rel=1e-6)
        assert 1 - at_most(count - 1, of, Rate(count, of).above) == pytest.approx(0.05, rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(counts)
def test_the_opposite_has_the_opposite_interval(pair: tuple[int, int]) -> None:
    count, of = pair
    low, high = Rate(count, of).interval
    assert Rate(of - count, of).interval == pytest.approx((1 - high, 1 - low), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(counts)
def test_another_repetition_moves_both_bounds_its_way(pair: tuple[int, int]) -> None:
    count, of = pair
    now, held, violated = (Rate(*each).interval for each in (pair, (count, of + 1), (count + 1, of + 1)))
    assert held[0] <= now[0] <= violated[0]
    assert held[1] <= now[1] <= violated[1]


@settings(deadline=None, max_examples=40)
@given(st.floats(0.003, 0.999))
def test_as_many_as_are_needed_show_a_bound_and_one_fewer_does_not(bound: float) -> None:
    of = needed(bound)
    assert Rate(0, of).below <= bound + 1e-9
    assert of == 1 or Rate(0, of - 1).below > bound


@pytest.mark.parametrize(("bound", "of"), [(0.05, 59), (0.01, 299), (0.5, 5), (0.95, 1)])
def test_known_numbers_of_repetitions(bound: float, of: int) -> None:
    assert needed(bound) == of


@pytest.mark.parametrize(
    ("count", "of", "words"),
    [
        (0, 59, "0 of 59: below 5 % at 95 %"),
        (0, 20, "0 of 20: below 14 % at 95 %"),
        (0, 1, "0 of 1: below 95 % at 95 %"),
        (3, 20, "3 of 20: 3.2 % to 38 % at 95 %"),
        (1, 59, "1 of 59: 0.042 % to 9.1 % at 95 %"),
        (20, 20, "20 of 20: above 86 % at 95 %"),
        (0, 0, "0 of 0: nothing is known"),
    ],
)
def test_in_words(count: int, of: int, words: str) -> None:
    assert str(Rate(count, of)) == words
