# SPDX-License-Identifier: GPL-3.0-only
"""The worst outcome wins, and nothing at all is no pass."""

from __future__ import annotations

import pytest

from harness.model.verdict import Outcome, worst

HELD, UNPROVEN, VIOLATED = Outcome.HELD, Outcome.UNPROVEN, Outcome.VIOLATED


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), UNPROVEN),
        ((HELD,), HELD),
        ((HELD, UNPROVEN, HELD), UNPROVEN),
        ((HELD, VIOLATED, UNPROVEN), VIOLATED),
    ],
)
def test_the_worst_outcome_wins_and_none_is_unproven(
    outcomes: tuple[Outcome, ...], expected: Outcome
) -> None:
    assert worst(outcomes) == expected
