# SPDX-License-Identifier: GPL-3.0-only
"""The project's own scenarios: they compile, and each invariant has one that holds and one that is red."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.invariants import INVARIANTS
from harness.model.plan import Plan
from harness.planning import scenario_files
from harness.planning_gate import plan_gate
from harness.scenario.catalogue import load_catalogue
from harness.scenario.compile import load_plans

ROOT = Path(__file__).parents[3]
# Controls of the harness itself, and stories of 2017 as replicas tell them.
OF_CONTROLS = ("control/", "replica/")
FILES = scenario_files(ROOT / "scenarios")


@pytest.fixture
def plans() -> list[Plan]:
    catalogue = load_catalogue(ROOT / "images/catalogue.yaml")
    return [plan for file in FILES for plan in load_plans(file, catalogue)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_compiles_with_the_project_s_catalogue(file: Path) -> None:
    assert load_plans(file, load_catalogue(ROOT / "images/catalogue.yaml"))


def test_controls_are_where_controls_belong(plans: list[Plan]) -> None:
    controls = {plan.scenario for plan in plans if plan.controls}
    assert all(name.startswith(OF_CONTROLS) for name in controls)
    assert controls >= {plan.scenario for plan in plans if plan.scenario.startswith("control/")}


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_every_invariant_holds_somewhere_and_is_violated_somewhere(plans: list[Plan], invariant: str) -> None:
    held = [p for p in plans if not p.controls and invariant in {each.name for each in p.invariants}]
    violated = [p for p in plans if invariant in {control.invariant for control in p.controls}]
    assert held
    assert violated


@pytest.mark.parametrize("file", sorted((ROOT / "scenarios/gates").iterdir()), ids=lambda file: file.stem)
def test_a_gate_lists_every_control_of_the_harness(file: Path, plans: list[Plan]) -> None:
    gate = plan_gate(file, load_catalogue(ROOT / "images/catalogue.yaml"))
    controls = {plan.scenario for plan in plans if plan.scenario.startswith("control/")}
    assert {plan.scenario for plan in gate.controls} == controls
