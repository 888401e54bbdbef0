# SPDX-License-Identifier: GPL-3.0-only
"""What a scenario holds: invariants by name, with the parameters that the model's table gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.model.invariants import INVARIANTS, InvariantSpec
from harness.model.scenario import Hold
from harness.model.spans import Span
from harness.scenario.shapes import Field, Filled, ListOf, Record, Schema, Text
from harness.scenario.source import Node, Problems, Scalar, Table, describe


class _OneHold:
    """An invariant's name, alone or as the key of its parameters."""

    def read(self, node: Node, at: str, problems: Problems) -> Hold | None:
        match node:
            case Scalar() if not node.is_null:
                return self._named(node, None, problems)
            case Table(entries=((name, parameters),)):
                return self._named(name, parameters, problems)
            case Table():
                found = "names several invariants" if node.entries else "is empty"
                problems.add(node.span, f"{at} {found}", expected="one invariant to an item")
            case _:
                problems.add(node.span, f"{at} is {describe(node)}", expected="the name of an invariant")
        return None

    def _named(self, name: Scalar, parameters: Node | None, problems: Problems) -> Hold | None:
        spec = INVARIANTS.get(name.text)
        if spec is None:
            problems.unknown(name.span, "invariant", name.text, INVARIANTS)
            return None
        given = Table(name.span, ()) if parameters is None else parameters
        if not spec.parameters and isinstance(given, Scalar) and given.is_null:
            given = Table(name.span, ())
        filled = _record(spec).read(given, f"'{name.text}'", problems)
        return _hold(name.span, spec, filled) if filled else None

    def schema(self) -> Schema:
        specs = INVARIANTS.values()
        bare = [spec.name for spec in specs if all(p.default is not None for p in spec.parameters.values())]
        return {"anyOf": [{"enum": bare}, *(_with_parameters(spec) for spec in specs if spec.parameters)]}


HOLD = _OneHold()


def _record(spec: InvariantSpec) -> Record:
    fields: dict[str, Field] = {}
    for name, parameter in spec.parameters.items():
        text = Text(parameter.summary, parameter.pattern)
        fields[name] = Field(
            ListOf(text) if parameter.many else text, parameter.summary, required=parameter.default is None
        )
    return Record(f"'{spec.name}'", fields)


def _with_parameters(spec: InvariantSpec) -> Schema:
    return {
        "type": "object",
        "properties": {spec.name: _record(spec).schema()},
        "required": [spec.name],
        "additionalProperties": False,
        "title": spec.summary,
    }


def _hold(span: Span, spec: InvariantSpec, filled: Filled) -> Hold:
    scalars = {name: _scalars(value) for name, value in filled.values.items()}
    parameters = {name: tuple(s.text for s in found) for name, found in scalars.items()}
    return Hold(span, spec.name, parameters, {s.text: s.span for found in scalars.values() for s in found})


def _scalars(value: Any) -> tuple[Scalar, ...]:
    return (value,) if isinstance(value, Scalar) else tuple(value)


def complete(hold: Hold) -> Mapping[str, tuple[str, ...]]:
    """The hold's parameters with the defaults of those left out, in the order of the table."""
    spec = INVARIANTS[hold.invariant]
    return {name: hold.parameters.get(name, p.default or ()) for name, p in spec.parameters.items()}


def note_repeated(holds: tuple[Hold, ...], problems: Problems) -> None:
    """Note invariants that are held twice with the same parameters."""
    first: dict[tuple[str, str], Span] = {}
    for hold in holds:
        key = (hold.invariant, repr(complete(hold)))
        if first.setdefault(key, hold.span) != hold.span:
            problems.add(hold.span, f"{hold.invariant!r} is held twice, first at {first[key]}")
