# SPDX-License-Identifier: GPL-3.0-only
"""From a gate file to the plans of its controls and its scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import Mistake, Mistakes
from harness.model.catalogue import Catalogue
from harness.model.gate import Listed, ListedPlan, PlannedGate
from harness.planning import GATE_SUFFIX, chosen, is_gate
from harness.scenario import source
from harness.scenario.compile import load_plans
from harness.scenario.gate import decode, note_misplaced, note_unseen
from harness.scenario.source import Problems, did_you_mean


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
    plans = []
    for each in listed:
        file = _located(each, gate, problems)
        if file is not None:
            plans += _of_file(each, file, catalogue, problems)
    return plans


def _located(each: Listed, gate: Path, problems: Problems) -> Path | None:
    """The scenario file, as a user here would name it."""
    try:
        file = _shown((gate.parent / each.file).resolve())
        if file.is_file() and not is_gate(file):
            return file
        _note_missing(each, file, problems)
    except (OSError, ValueError, RuntimeError) as error:  # too long, not a file's name, a loop of links
        problems.add(each.span, f"cannot look for {each.file!r}: {error}")
    return None


def _of_file(each: Listed, file: Path, catalogue: Catalogue, problems: Problems) -> list[ListedPlan]:
    try:
        plans = chosen(load_plans(file, catalogue), each.variant, file)
    except Mistakes as mistakes:
        problems.found += [problem for problem in mistakes.problems if problem not in problems.found]
    except Mistake as mistake:
        problems.add(each.span, mistake.message, hint=mistake.hint)
    else:
        return [ListedPlan(each, plan) for plan in plans]
    return []


def _note_missing(each: Listed, file: Path, problems: Problems) -> None:
    if file.exists():
        what = "a gate itself" if is_gate(file) else "no file"
        problems.add(each.span, f"{each.file!r} is {what}", expected="a scenario file")
        return
    there = [path.name for path in file.parent.glob("*.yaml") if not is_gate(path)]
    near = did_you_mean(file.name, sorted(there))
    message = f"cannot find {each.file!r} from the gate's directory"
    problems.add(each.span, message, hint=f"did you mean {Path(each.file).with_name(near)}?" if near else "")


def _shown(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
