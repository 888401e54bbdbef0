# SPDX-License-Identifier: GPL-3.0-only
"""From a gate file to the plans of its controls and its scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import Mistake
from harness.model.catalogue import Catalogue
from harness.model.gate import Listed, ListedPlan, PlannedGate
from harness.planning import GATE_SUFFIX, is_gate
from harness.planning_listed import listed_plans
from harness.scenario import source
from harness.scenario.gate import decode, note_misplaced, note_unseen
from harness.scenario.source import Problems


def plan_gate(file: Path, catalogue: Catalogue) -> PlannedGate:
    """The gate in `file`.

    :raise Mistake: the file cannot be read, or is not called as gates are.
    :raise Mistakes: with every problem in the file and in those that it lists.
    """
    if not is_gate(file):
        raise Mistake(
            f"{file} is no gate: a gate's file name ends with {GATE_SUFFIX}", hint=f"harness run {file}"
        )
    problems = Problems()
    gate = decode(source.load(file), problems)
    controls = _plans(gate.controls, file, catalogue, problems)
    scenarios = _plans(gate.scenarios, file, catalogue, problems)
    all_read = not problems.found
    note_misplaced(scenarios, controls, problems)
    if all_read:
        note_unseen(gate, [*scenarios, *controls], problems)
    problems.raise_if_any()
    return PlannedGate(
        str(file),
        gate.summary,
        tuple(each.plan for each in controls),
        tuple(each.plan for each in scenarios),
        gate.unproven,
    )


def _plans(
    listed: Sequence[Listed], gate: Path, catalogue: Catalogue, problems: Problems
) -> list[ListedPlan]:
    """The plans of the files that could be read."""
    return [
        ListedPlan(each, plan) for each in listed for plan in listed_plans(each, gate, catalogue, problems)
    ]
