# SPDX-License-Identifier: GPL-3.0-only
"""What repetitions come to in words, and when there have been enough."""

from __future__ import annotations

import pytest

from harness.model.rate import Rate
from harness.model.repeat import Repeat, Stop
from harness.results import Came, worst
from harness.results_series import enough, rate_of, told

HELD, VIOLATED, UNPROVEN, ERROR, MISTAKE = (
    Came.HELD, Came.VIOLATED, Came.UNPROVEN, Came.ERROR, Came.MISTAKE,
)  # fmt: skip
ALL = Repeat(20, stop=Stop.NEVER)


def test_only_what_was_proven_is_in_the_rate() -> None:
    assert rate_of([HELD, VIOLATED, UNPROVEN, ERROR, HELD, MISTAKE]) == Rate(1, 3)


@pytest.mark.parametrize(
    ("repeat", "came", "ended"),
    [
        (Repeat(20), [], ""),
        (Repeat(20), [HELD] * 19, ""),
        (Repeat(20), [HELD, UNPROVEN, ERROR], ""),
        (Repeat(20), [HELD, VIOLATED], "ended at the first that is VIOLATED"),
        (ALL, [VIOLATED, VIOLATED], ""),
        (ALL, [HELD, MISTAKE], "a mistake would come to light again in each"),
        (Repeat(80, until=0.05), [HELD] * 58, ""),
        (Repeat(80, until=0.05), [HELD] * 58 + [UNPROVEN, ERROR], ""),
        (Repeat(80, until=0.05), [HELD] * 59, "ended because the rate is shown to be below 5 %"),
        (Repeat(1, until=0.95), [HELD], "ended because the rate is shown to be below 95 %"),
    ],
)
def test_when_there_have_been_enough(repeat: Repeat, came: list[Came], ended: str) -> None:
    assert enough(repeat, came) == ended


def test_in_words() -> None:
    came = [HELD] * 16 + [VIOLATED] * 2 + [UNPROVEN] + [ERROR] * 3
    assert list(told(Repeat(22, seed=7, stop=Stop.NEVER), came)) == [
        "2 of 18 VIOLATED: 1.3 % to 35 % at 95 %",
        "1 UNPROVEN, which are not in that rate",
        "3 could not be measured, which are not in that rate and were not done again",
        "22 of 22 repetitions, seed 7",
    ]
    assert list(told(Repeat(59, until=0.05), [HELD] * 59)) == [
        "0 of 59 VIOLATED: below 5 % at 95 %",
        "59 of 59 repetitions, seed 1; ended because the rate is shown to be below 5 %",
    ]


@pytest.mark.parametrize("one", [UNPROVEN, VIOLATED, ERROR])
def test_a_series_held_only_when_every_repetition_did(one: Came) -> None:
    assert worst([HELD] * 5) is HELD
    assert worst([HELD, one, HELD]) is one
