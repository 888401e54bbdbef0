# SPDX-License-Identifier: GPL-3.0-only
"""Versions are compared as dpkg and snapd compare them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.catalogue import Catalogue
from harness.scenario.versions import core_version, is_older

# In the order of `dpkg --compare-versions`.
ASCENDING = ("1.0~~", "1.0~", "1.0", "2.6", "2.49", "2.57", "2.57.6~pre1", "2.57.6", "2.57.6a",
             "2.57.6+really2.49", "2.57.60", "2.68.3", "2.77.1~rc2", "2.77.1", "10")  # fmt: skip
TEXT = st.text("0123456789.~+ab-:", max_size=12)


@pytest.mark.parametrize(("older", "newer"), list(pairwise(ASCENDING)))
def test_order(older: str, newer: str) -> None:
    assert is_older(older, newer)
    assert not is_older(newer, older)


@pytest.mark.parametrize(
    ("one", "other"), [("2.57.6", "2.57.6-1+deb12u1+b2"), ("1:2.57.6-1", "2.57.6"), ("2.057", "2.57")]
)
def test_revision_and_epoch_do_not_count(one: str, other: str) -> None:
    assert not is_older(one, other)
    assert not is_older(other, one)


@settings(deadline=None)
@given(TEXT, TEXT, TEXT)
def test_it_is_an_order(a: str, b: str, c: str) -> None:
    assert not (is_older(a, b) and is_older(b, a))
    if is_older(a, b) and is_older(b, c):
        assert is_older(a, c)


def test_digits_without_end_are_compared() -> None:
    assert is_older("2", "2" * 5000)


@pytest.mark.parametrize(
    ("core", "version"),
    [("2.49", "2.57.6+really2.49"), ("2.57.6", "2.57.6-1+deb12u1+b2"), ("mine", ""), ("mytree", "")],
)
def test_what_a_core_says_of_itself(catalogue: Catalogue, core: str, version: str) -> None:
    assert core_version(catalogue.cores[core]) == version
