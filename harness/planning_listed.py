# SPDX-License-Identifier: GPL-3.0-only
"""Finds the scenario files that a gate or a matrix lists, as a user here would name them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import Mistake, Mistakes
from harness.model.catalogue import Catalogue
from harness.model.gate import Listed
from harness.model.plan import Plan
from harness.planning import as_named_here, chosen, is_gate, is_matrix, is_scenario
from harness.scenario.compile import load_plans
from harness.scenario.source import Problems, did_you_mean


def listed_plans(each: Listed, lister: Path, catalogue: Catalogue, problems: Problems) -> Sequence[Plan]:
    """The plans of a file that `lister` lists; none where a mistake was noted."""
    file = _located(each, lister, problems)
    if file is None:
        return ()
    try:
        return chosen(load_plans(file, catalogue), each.variant, file)
    except Mistakes as mistakes:
        problems.found += [problem for problem in mistakes.problems if problem not in problems.found]
    except Mistake as mistake:
        problems.add(each.span, mistake.message, hint=mistake.hint)
    return ()


def _located(each: Listed, lister: Path, problems: Problems) -> Path | None:
    try:
        file = as_named_here((lister.parent / each.file).resolve())
        if file.is_file() and is_scenario(file):
            return file
        _note_missing(each, file, lister, problems)
    except (OSError, ValueError, RuntimeError) as error:  # too long, not a file's name, a loop of links
        problems.add(each.span, f"cannot look for {each.file!r}: {error}")
    return None


def _note_missing(each: Listed, file: Path, lister: Path, problems: Problems) -> None:
    if file.exists():
        kind = "a gate itself" if is_gate(file) else "a matrix itself" if is_matrix(file) else "no file"
        problems.add(each.span, f"{each.file!r} is {kind}", expected="a scenario file")
        return
    there = [path.name for path in file.parent.glob("*.yaml") if is_scenario(path)]
    near = did_you_mean(file.name, sorted(there))
    whose = "matrix" if is_matrix(lister) else "gate"
    message = f"cannot find {each.file!r} from the {whose}'s directory"
    problems.add(each.span, message, hint=f"did you mean {Path(each.file).with_name(near)}?" if near else "")
