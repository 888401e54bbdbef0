# SPDX-License-Identifier: GPL-3.0-only
"""A gate file to a gate, and whether the controls that it lists can show what its scenarios hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.model.gate import Gate, Listed, ListedPlan, Unproven
from harness.model.invariants import INVARIANTS
from harness.model.spans import Span
from harness.scenario.shapes import Field, Filled, ListOf, Made, MapOf, Record, Schema, Text
from harness.scenario.source import Node, Problems, Scalar

_PATH = Text("the path of a scenario file, from the gate's directory")
_WITH_VARIANT = Record(
    "an item of the gate",
    {
        "file": Field(_PATH, "the path of a scenario file", required=True),
        "variant": Field(
            MapOf(Text("a variable's name"), Text("one of its values"), at_least=1),
            "only these points of the file's matrix",
        ),
    },
)


class _OneFile:
    """A path alone, or with the points of its matrix."""

    def read(self, node: Node, at: str, problems: Problems) -> Listed | None:
        if isinstance(node, Scalar):
            path = _PATH.read(node, at, problems)
            return Listed(path.span, path.text) if path else None
        filled = _WITH_VARIANT.read(node, at, problems)
        return _listed(filled) if filled else None

    def schema(self) -> Schema:
        return {"anyOf": [_PATH.schema(), _WITH_VARIANT.schema()]}


def _listed(filled: Filled) -> Listed:
    path = filled.get("file")
    return Listed(path.span, path.text, {key.text: value.text for key, value in filled.get("variant", ())})


def _reasons(pairs: Iterable[tuple[Scalar, Scalar]]) -> tuple[Unproven, ...]:
    return tuple(Unproven(name.span, name.text, reason.text) for name, reason in pairs)


DOCUMENT = Record(
    "the gate",
    {
        "summary": Field(Text("one line of text", r"[^\n]+"), "one line for people", required=True),
        "scenarios": Field(
            ListOf(_OneFile(), 1, "a gate without a scenario proves nothing"),
            "scenario files that must come out HELD",
            required=True,
        ),
        "controls": Field(
            ListOf(_OneFile(), 1, "a gate without a control cannot tell whether it sees anything"),
            "controls that must come out VIOLATED, as each of them says",
            required=True,
        ),
        "unproven": Field(
            Made(MapOf(Text("an invariant"), Text("the reason, in words"), at_least=1), _reasons),
            "invariants that no control of the gate violates, each with the reason",
        ),
    },
)


def decode(root: Node, problems: Problems) -> Gate:
    """The gate of a document; what is wrong is noted and left out of it."""
    filled = DOCUMENT.fill(root, "the file", problems)
    values: Any = filled.values if filled else {}
    summary, unproven = values.get("summary"), values.get("unproven", ())
    for each in unproven:
        if each.invariant not in INVARIANTS:
            problems.unknown(each.span, "invariant", each.invariant, INVARIANTS)
    return Gate(
        summary.text if summary else "", values.get("scenarios", ()), values.get("controls", ()), unproven
    )


def note_misplaced(
    scenarios: Sequence[ListedPlan], controls: Sequence[ListedPlan], problems: Problems
) -> None:
    """Note controls among the scenarios, scenarios among the controls, and plans that are listed twice."""
    for each in scenarios:
        if each.plan.controls:
            message = f"{each.listed.file!r} is a control, which must come out VIOLATED"
            problems.add(each.listed.span, message, hint="list it under 'controls'")
    for each in controls:
        if not each.plan.controls:
            message = f"{each.listed.file!r} is no control: it does not say how it must come out VIOLATED"
            problems.add(each.listed.span, message, hint="list it under 'scenarios', or give it a 'control'")
    first: dict[str, Span] = {}
    for each in (*controls, *scenarios):
        at = first.setdefault(f"{each.plan.file} {each.plan.title}", each.listed.span)
        if at != each.listed.span:
            problems.add(each.listed.span, f"{each.plan.title!r} is listed twice, first at {at}")


def note_unseen(gate: Gate, plans: Sequence[ListedPlan], problems: Problems) -> None:
    """Note each invariant that a scenario among `plans` holds and no control among them violates.

    A reason in `unproven` for something else is noted too: it would hide what is missing later.
    """
    shown = {control.invariant for each in plans for control in each.plan.controls}
    excused = {each.invariant for each in gate.unproven}
    held: dict[str, Listed] = {}
    for each in plans:
        for invariant in () if each.plan.controls else each.plan.invariants:
            held.setdefault(invariant.name, each.listed)
    for name, listed in held.items():
        if name not in shown | excused:
            message = f"nothing shows that this gate can see {name!r} violated, which {listed.file!r} holds"
            hint = "list a control that violates it, or give the reason under 'unproven'"
            problems.add(listed.span, message, hint=hint)
    for unproven in gate.unproven:
        if unproven.invariant in shown:
            message = f"{unproven.invariant!r} is not unproven: a control of this gate violates it"
            problems.add(unproven.span, message, hint="leave it out")
        elif unproven.invariant in INVARIANTS and unproven.invariant not in held:
            message = f"no scenario of this gate holds {unproven.invariant!r}"
            problems.add(unproven.span, message, hint="leave it out")
