# SPDX-License-Identifier: GPL-3.0-only
"""How often something happens, judged from a number of repetitions, and how sure that is.

Bounds are Clopper and Pearson's: exact tails of the binomial distribution, so that they hold for small
numbers and for a count of 0. Where repetitions stop at the first that counts, they are on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

CONFIDENCE = 0.95
_ERROR = 1 - CONFIDENCE
_HALVINGS = 80


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `of` repetitions."""

    count: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """Both bounds, the error of 5 % shared between them."""
        return 1 - _upper(self.of - self.count, self.of, _ERROR / 2), _upper(self.count, self.of, _ERROR / 2)

    @property
    def below(self) -> float:
        """The upper bound alone, with all of the error: what "0 of 59: below 5 % at 95 %" says."""
        return _upper(self.count, self.of, _ERROR)

    @property
    def above(self) -> float:
        """The lower bound alone, with all of the error."""
        return 1 - _upper(self.of - self.count, self.of, _ERROR)

    def __str__(self) -> str:
        """Such as ``0 of 59: below 5 % at 95 %``; bounds are rounded away from the rate."""
        counted = f"{self.count} of {self.of}"
        if not self.of:
            return f"{counted}: nothing is known"
        sure = f"at {CONFIDENCE:.0%}".replace("%", " %")
        if self.count == 0:
            return f"{counted}: below {percent(self.below, math.ceil)} {sure}"
        if self.count == self.of:
            return f"{counted}: above {percent(self.above, math.floor)} {sure}"
        low, high = self.interval
        return f"{counted}: {percent(low, math.floor)} to {percent(high, math.ceil)} {sure}"


def needed(bound: float) -> int:
    """The fewest repetitions, none of which counts, that show a rate below `bound` (0 < bound < 1)."""
    return math.ceil(math.log(_ERROR) / math.log1p(-bound) - 1e-9)


def percent(share: float, rounded: Callable[[float], int] = round) -> str:
    """A share in per cent with two digits that matter."""
    value = share * 100
    places = 1 - math.floor(math.log10(value)) if value > 0 else 0
    # What a bisection leaves open must not make 14 of 13.999999999.
    exact = round(value * 10**places, 6)
    return f"{rounded(exact) / 10**places:g} %"


def _upper(count: int, of: int, error: float) -> float:
    """The rate at which so few would come with a probability of `error`."""
    if count == of:
        return 1.0
    return _crossing(lambda rate: _at_most(count, of, rate) > error)


def _at_most(count: int, of: int, rate: float) -> float:
    """The probability that no more than `count` of `of` come, each with probability `rate` (0 < rate < 1)."""
    return math.fsum(
        math.exp(math.log(math.comb(of, k)) + k * math.log(rate) + (of - k) * math.log1p(-rate))
        for k in range(count + 1)
    )


def _crossing(is_left_of_it: Callable[[float], bool]) -> float:
    """Where between 0 and 1 a condition ceases to be true, by halving."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if is_left_of_it(middle) else (low, middle)
    return high
