# SPDX-License-Identifier: GPL-3.0-only
"""Durations carry their unit."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scenario import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1500 ms", 1.5), ("60 s", 60), ("90s", 90), ("2 min", 120), ("0.5 h", 1800), (" 3 s ", 3)],
)
def test_units(text: str, seconds: float) -> None:
    assert durations.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("60", "'60' has no unit"),
        ("1 minute", "'minute' is not a unit of time"),
        ("5 M", "'M' is not a unit of time"),
        ("soon", "'soon' is not a duration"),
        ("-1 s", "'-1 s' is not a duration"),
        ("1 min 30 s", "'1 min 30 s' is not a duration"),
        ("0 s", "'0 s' is not between 1 ms and 168 h"),
        ("999999999999 h", "is not between"),
        ("1e9 s", "is not a duration"),
        ("٣ s", "is not a duration"),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        durations.parse(text)


@settings(deadline=None)
@given(st.integers(1, 600_000_000))
def test_what_is_shown_is_read_back(milliseconds: int) -> None:
    shown = durations.show(milliseconds / 1000)
    assert durations.parse(shown) == pytest.approx(milliseconds / 1000, rel=1e-5)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_other_text_is_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 < durations.parse(text) <= durations.LONGEST
