# SPDX-License-Identifier: GPL-3.0-only
"""The matrix of a scenario: `vary` and the ``${name}`` in its values, before anything is decoded."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.spans import Span
from harness.scenario.shapes import ListOf, MapOf, Text
from harness.scenario.source import Items, Node, Problems, Scalar, Table

MOST_VARIANTS = 64
VARY = MapOf(
    Text("a variable's name (lower-case letters, digits, _ and -)", r"[a-z][a-z0-9_-]*"),
    ListOf(Text("a value"), 1, "a variable without values leaves no variant"),
    at_least=1,
)
# `$${` is how a shell's own ${…} is written
_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the matrix: the values of its variables, and the file with them filled in."""

    variant: Mapping[str, str]
    root: Table


def expand(root: Table, problems: Problems) -> tuple[Point, ...]:
    """Every variant in the order of the file; one without values when there is no `vary`.

    After a mistake in `vary` there may be fewer, and references to what is broken stay as they are.
    """
    given = root.get("vary")
    if given is None:
        return (Point({}, _Filler({}, problems).fill_root(root)),)
    axes = _axes(given, problems)
    declared = {key.text for key, _ in given.entries} if isinstance(given, Table) else set()
    _note_unused(root, given, axes, problems)
    if math.prod(len(values) for values in axes.values()) > MOST_VARIANTS:
        problems.add(given.span, f"'vary' makes more than {MOST_VARIANTS} variants", hint="split the file")
        axes = {name: values[:1] for name, values in axes.items()}
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    left_alone = {name: f"${{{name}}}" for name in declared - axes.keys()}
    told = problems if axes else Problems()
    return tuple(Point(p, _Filler({**p, **left_alone}, told).fill_root(root)) for p in points)


def broken_variables(root: Table, points: tuple[Point, ...]) -> tuple[str, ...]:
    """How references to variables begin that are declared, but wrongly."""
    given = root.get("vary")
    if given is None:
        return ()
    if not isinstance(given, Table) or not points[0].variant:
        return ("${",)
    return tuple(f"${{{key.text}}}" for key, _ in given.entries if key.text not in points[0].variant)


def _axes(given: Node, problems: Problems) -> dict[str, tuple[str, ...]]:
    axes = {}
    for name, values in VARY.read(given, "'vary'", problems) or ():
        texts = tuple(value.text for value in values)
        for value in values:
            if "${" in value.text:
                problems.add(value.span, "a value of 'vary' cannot itself hold ${…}", expected="plain text")
        for value, earlier in _repeated(values):
            problems.add(value.span, f"{value.text!r} is given twice, first at {earlier.span}")
        if texts:
            axes[name.text] = texts
    return axes


def _repeated(values: tuple[Scalar, ...]) -> list[tuple[Scalar, Scalar]]:
    first: dict[str, Scalar] = {}
    return [
        (value, first[value.text]) for value in values if first.setdefault(value.text, value) is not value
    ]


def _note_unused(root: Table, given: Node, axes: Mapping[str, object], problems: Problems) -> None:
    used = {name for key, node in root.entries if key.text != "vary" for name in _references(node)}
    for key, _ in given.entries if isinstance(given, Table) else ():
        if key.text in axes and key.text not in used:
            problems.add(
                key.span,
                f"the variable {key.text!r} is never used",
                hint=f"write ${{{key.text}}} where it varies",
            )


def _references(node: Node) -> set[str]:
    match node:
        case Scalar():
            return {match[1] for match in _REFERENCE.finditer(node.text) if match[1] is not None}
        case Items():
            return {name for child in node.nodes for name in _references(child)}
        case Table():
            return {name for _, child in node.entries for name in _references(child)}


class _Filler:
    """Puts the values of one variant into every scalar."""

    def __init__(self, values: Mapping[str, str], problems: Problems) -> None:
        self._values = values
        self._problems = problems

    def fill_root(self, root: Table) -> Table:
        entries = ((key, node if key.text == "vary" else self._fill(node)) for key, node in root.entries)
        return Table(root.span, tuple(entries))

    def _fill(self, node: Node) -> Node:
        match node:
            case Scalar():
                return self._fill_scalar(node)
            case Items():
                return Items(node.span, tuple(self._fill(child) for child in node.nodes))
            case Table():
                return Table(node.span, tuple((key, self._fill(child)) for key, child in node.entries))

    def _fill_scalar(self, node: Scalar) -> Scalar:
        if "${" not in node.text:
            return node
        text = _REFERENCE.sub(lambda match: self._value(match, node.span), node.text)
        return Scalar(node.span, text, node.plain)

    def _value(self, match: re.Match[str], span: Span) -> str:
        name = match[1]
        if name is None:
            return "${"
        if name not in self._values or not match[0].endswith("}"):
            self._note_unknown(match[0], name, span)
            return match[0]
        return self._values[name]

    def _note_unknown(self, written: str, name: str, span: Span) -> None:
        if not self._values:
            hint = "a scenario's variables are declared in 'vary'; the shell's own ${…} is written $${…}"
            self._problems.add(span, f"unknown variable {written!r}", hint=hint)
        else:
            self._problems.unknown(span, "variable", name, self._values)
