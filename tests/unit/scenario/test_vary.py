# SPDX-License-Identifier: GPL-3.0-only
"""The matrix: one plan for each point, and what a variable's mistakes look like."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.model.plan import Plan, RebootGuest, RunCommand
from harness.model.scenario import RebootHow

Plans = Callable[[str], tuple[Plan, ...]]
Told = Callable[[str], list[str]]
VARIED = """\
summary: ${reboot} after ${word}
image: trixie-snapd-2.57.6
start: {core: "2.57.6", snaps: [witness]}
vary: {reboot: [clean, reset], word: ["a b", "2.50"]}
steps:
  - reboot: ${reboot}
  - run: echo ${word} $${word} $word $$ ${reboot}
hold: [policy-from-running-snapd]
"""


def test_points_are_in_the_order_of_the_file(plans: Plans) -> None:
    assert [plan.title for plan in plans(VARIED)] == [
        "s[reboot=clean,word=a b]",
        "s[reboot=clean,word=2.50]",
        "s[reboot=reset,word=a b]",
        "s[reboot=reset,word=2.50]",
    ]


def test_values_are_put_in_everywhere(plans: Plans) -> None:
    last = plans(VARIED)[-1]
    actions = [step.action for step in last.steps]
    assert last.summary == "reset after 2.50"
    assert RebootGuest(RebootHow.RESET) in actions
    assert RunCommand("echo 2.50 ${word} $word $$ reset") in actions


def test_one_plan_without_a_matrix(plans: Plans, good: str) -> None:
    assert [plan.title for plan in plans(good)] == ["s"]


@pytest.mark.parametrize(
    ("vary", "says"),
    [
        ("[reboot]", "s.yaml:4:7: 'vary' is a list; expected a mapping"),
        ("{}", "s.yaml:4:7: 'vary' is empty"),
        ("{reboot: [], word: [a]}", "s.yaml:4:16: 'reboot' is empty"),
        ("{reboot: clean, word: [a]}", "s.yaml:4:16: 'reboot' is 'clean'; expected a list"),
        ("{reboot: [clean, clean], word: [a]}", "s.yaml:4:24: 'clean' is given twice, first at s.yaml:4:17"),
        ("{reboot: [clean], word: ['${reboot}']}", "s.yaml:4:32: a value of 'vary' cannot itself hold"),
        ("{reboot: [clean], word: [[a]]}", "s.yaml:4:32: an item of 'word' is a list"),
        (
            "{reboot: [clean], Word: [a], word: [a]}",
            "s.yaml:4:25: the key 'Word' is 'Word'; expected a variable",
        ),
    ],
)
def test_a_mistake_in_the_matrix_is_the_only_one_told(mistakes: Told, vary: str, says: str) -> None:
    told = mistakes(VARIED.replace('{reboot: [clean, reset], word: ["a b", "2.50"]}', vary))
    assert len(told) == 1, told
    assert says in told[0]


def test_other_mistakes_are_told_with_one_in_the_matrix(mistakes: Told) -> None:
    text = VARIED.replace("[clean, reset]", "[]").replace("hold: [pol", "hold: [poll")
    assert [told.split(": ")[0] for told in mistakes(text)] == ["s.yaml:4:16", "s.yaml:8:8"]


def test_a_value_that_does_not_fit_names_the_place_of_use(mistakes: Told) -> None:
    told = mistakes(VARIED.replace("[clean, reset]", "[clean, rest]"))
    (only,) = told
    assert only.startswith("s.yaml:6:13: unknown kind of reboot 'rest'; expected one of clean, kill, panic,")
    assert only.endswith("; did you mean reset?")


@pytest.mark.parametrize("written", ["${rebot}", "${reboot", "${}", "${reboot%t}"])
def test_unknown_variable(mistakes: Told, written: str) -> None:
    told = mistakes(VARIED.replace("echo", f"echo '{written}'"))
    assert "s.yaml:7:10: unknown variable" in told[0]


def test_too_many(mistakes: Told) -> None:
    numbers = ", ".join(map(str, range(9)))
    told = mistakes(VARIED.replace("[clean, reset]", "[clean, reset]").replace('"a b"', numbers * 8))
    assert "makes more than 64 variants" in "".join(told)
