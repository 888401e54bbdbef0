# SPDX-License-Identifier: GPL-3.0-only
"""What a gate comes to, from what its plans came to."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import CannotMeasure, HarnessError, Mistake
from harness.model.scenario import Control
from harness.model.verdict import VERDICT_FORMAT, ControlJudgement, Outcome, Verdict
from harness.results import Came, RunResult
from harness.results_gate import Ran, blind_controls, came_of_gate
from tests.unit.builders import POLICY, SPAN, Guest

SCENARIO = Guest().plan()
CONTROL = Guest(control=Control(SPAN, POLICY)).plan()


def result(outcome: Outcome, *, seen: bool | None = None, error: str = "") -> RunResult:
    judged = None if seen is None else ControlJudgement(seen, () if seen else ("nothing is VIOLATED",))
    return RunResult(SCENARIO, Path("runs/1"), Verdict(VERDICT_FORMAT, "s", outcome, (), error, judged))


def control(outcome: Outcome = Outcome.VIOLATED, *, seen: bool | None = True, error: str = "") -> Ran:
    return Ran(CONTROL, result(outcome, seen=seen, error=error))


def scenario(outcome: Outcome = Outcome.HELD, *, error: str = "") -> Ran:
    return Ran(SCENARIO, result(outcome, error=error))


def raised(error: HarnessError, *, of_control: bool) -> Ran:
    return Ran(CONTROL if of_control else SCENARIO, error)


@pytest.mark.parametrize(
    "blind",
    [
        control(Outcome.HELD, seen=False),
        control(Outcome.UNPROVEN, seen=False),
        control(Outcome.VIOLATED, seen=False),
        control(Outcome.HELD, seen=None),
        control(Outcome.VIOLATED, seen=None),
        control(error="the guest panicked"),
        raised(CannotMeasure("no mirror"), of_control=True),
    ],
)
@pytest.mark.parametrize(
    "rest",
    [
        scenario(),
        scenario(Outcome.VIOLATED),
        scenario(Outcome.UNPROVEN),
        raised(Mistake("no such date"), of_control=False),
    ],
)
def test_a_blind_control_is_an_error_whatever_the_rest_says(blind: Ran, rest: Ran) -> None:
    assert not blind.as_it_must
    assert blind_controls([control(), blind, rest]) == [blind]
    assert came_of_gate([control(), blind, rest]) is Came.ERROR


@pytest.mark.parametrize(
    ("ran", "came"),
    [
        ([scenario(), scenario()], Came.HELD),
        ([scenario(Outcome.UNPROVEN), scenario()], Came.UNPROVEN),
        ([scenario(Outcome.UNPROVEN), scenario(Outcome.VIOLATED)], Came.VIOLATED),
        ([scenario(Outcome.VIOLATED), scenario(error="the guest panicked")], Came.ERROR),
        ([scenario(Outcome.VIOLATED), raised(CannotMeasure("no mirror"), of_control=False)], Came.ERROR),
        (
            [raised(CannotMeasure("x"), of_control=False), raised(Mistake("y"), of_control=False)],
            Came.MISTAKE,
        ),
        ([scenario(), raised(Mistake("no such date"), of_control=True)], Came.MISTAKE),
    ],
)
def test_while_the_controls_see_the_worst_counts(ran: list[Ran], came: Came) -> None:
    assert came_of_gate([control(), *ran]) is came
    assert not blind_controls([control(), *ran])


def test_a_scenario_that_is_violated_is_not_as_it_must_be() -> None:
    assert [scenario(outcome).as_it_must for outcome in Outcome] == [True, False, False]


def test_a_gate_of_which_nothing_ran_proves_nothing() -> None:
    assert came_of_gate([]) is Came.UNPROVEN
