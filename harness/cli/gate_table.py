# SPDX-License-Identifier: GPL-3.0-only
"""A gate on a terminal: what it lists, and the table of what all of it came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.errors import HarnessError
from harness.model.gate import PlannedGate
from harness.model.plan import Plan
from harness.report.layout import safe, table
from harness.results import Came
from harness.results_gate import Ran, blind_controls, came_of_gate, must_be

_HEADING = ("must be", "came out", "as it must", "file", "run directory")


def explain(gate: PlannedGate) -> str:
    """What the gate would run, in order, and what each must come out as; ends in a newline."""
    lines = [f"gate {gate.file}", f"  {gate.summary}", ""]
    lines += [f"  {must_be(plan):<8}  {_name(plan)}" for plan in (*gate.controls, *gate.scenarios)]
    return "\n".join([*lines, *_unproven(gate)]) + "\n"


def render(gate: PlannedGate, ran: Sequence[Ran]) -> str:
    """The table, and as its last line what the gate came to."""
    rows = [_HEADING, *map(_row, ran)]
    lines = ["", f"gate {gate.file}", "", *table(rows), *_unproven(gate), "", _came_to(ran)]
    return "\n".join(map(safe, lines)) + "\n"


def says(ran: Ran) -> str:
    """What a control that is blind came out as, and what is missing."""
    if isinstance(ran.result, HarnessError):
        return f"{ran.plan.title} could not be measured: {ran.result.message}"
    verdict = ran.result.verdict
    if verdict.error:
        return f"{ran.plan.title} could not be measured: {verdict.error}"
    missing = "; ".join(verdict.control.missing if verdict.control else ())
    return f"{ran.plan.title} came out {verdict.outcome}: {missing or 'not judged as a control'}"


def _row(ran: Ran) -> tuple[str, ...]:
    directory = "none" if isinstance(ran.result, HarnessError) else str(ran.result.directory)
    return (
        must_be(ran.plan).value,
        ran.came.name,
        "yes" if ran.as_it_must else "NO",
        _name(ran.plan),
        directory,
    )


def _name(plan: Plan) -> str:
    """The file, with the point of its matrix."""
    return f"{plan.file}{plan.title.removeprefix(plan.scenario)}"


def _unproven(gate: PlannedGate) -> Iterator[str]:
    if gate.unproven:
        yield ""
        yield "no control of this gate violates"
    for each in gate.unproven:
        yield f"  {each.invariant}: {each.reason}"


def _came_to(ran: Sequence[Ran]) -> str:
    blind = blind_controls(ran)
    if blind:
        controls = sum(bool(each.plan.controls) for each in ran)
        count = f"{len(blind)} of {controls} controls did not come out VIOLATED as they say they must"
        return f"ERROR  the harness cannot see: {count}, so the rest proves nothing"
    came = came_of_gate(ran)
    if came is Came.HELD:
        return f"HELD  all {len(ran)} came out as they must"
    wrong = sum(not each.as_it_must for each in ran)
    return f"{came.name}  {wrong} of {len(ran)} did not come out as they must"
