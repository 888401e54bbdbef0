# SPDX-License-Identifier: GPL-3.0-only
"""The page that describes the language knows all of it, and its example is right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.model.invariants import INVARIANTS
from harness.model.plan import Plan
from harness.scenario.decode import DOCUMENT
from harness.scenario.steps import STEP_KINDS

README = (Path(__file__).parents[3] / "scenarios/README.md").read_text()


@pytest.mark.parametrize(
    "word", [*(f"`{kind.word}: " for kind in STEP_KINDS), *(f"`{i}`" for i in INVARIANTS)]
)
def test_every_step_and_invariant(word: str) -> None:
    assert f"| {word}" in README


@pytest.mark.parametrize("key", DOCUMENT.fields)
def test_every_key(key: str) -> None:
    assert re.search(rf"^{key}:", README, re.MULTILINE)


def test_the_example_compiles(plans: Callable[[str], tuple[Plan, ...]]) -> None:
    example = README.partition("```yaml\n")[2].partition("```")[0]
    assert [plan.title for plan in plans(example)] == ["s[how=clean]", "s[how=reset]"]
