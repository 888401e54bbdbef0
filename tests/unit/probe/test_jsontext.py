# SPDX-License-Identifier: GPL-3.0-only
"""JSON that is written without the `json` package reads the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probe.jsontext import written

PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_it_is_what_the_package_writes(value: Any) -> None:
    assert written(value) == json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def test_a_tuple_is_a_list() -> None:
    assert written((1, "\udcff\n")) == '[1,"\\udcff\\n"]'


@pytest.mark.parametrize("value", [b"x", {1, 2}, object()])
def test_other_things_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        written([value])
