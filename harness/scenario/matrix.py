# SPDX-License-Identifier: GPL-3.0-only
"""A matrix file to a matrix, and whether its cells are those of the scenarios that it lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.model.gate import Listed
from harness.model.matrix import HELD, JUDGED_BY, RACE, UNPROVEN, WORDS, Expected, Matrix, Row, Threat
from harness.model.plan import Plan
from harness.model.spans import Span
from harness.scenario.shapes import Field, Filled, MapOf, OneOrMore, Record, Schema, Text
from harness.scenario.source import Node, Problems, Scalar

_NAME = Text("a name of lower-case letters, digits and -", r"[a-z0-9]+(-[a-z0-9]+)*")
_ALONE = (HELD, UNPROVEN, RACE)


class _Threat:
    """A column."""

    _record = Record(
        "a threat",
        {
            "file": Field(
                Text("the path of a scenario file, from the matrix's directory"),
                "the path of a scenario file",
                required=True,
            ),
            "subject": Field(
                Text("a service's security tag, such as snap.bluez.bluez"),
                "the service that is looked at, by its security tag",
                required=True,
            ),
            "says": Field(Text("one line of text", r"[^\n]+"), "one line for people", required=True),
        },
    )

    def read(self, node: Node, at: str, problems: Problems) -> Filled | None:
        return self._record.read(node, at, problems)

    def schema(self) -> Schema:
        return self._record.schema()


class _Word:
    """One of the words that a cell may be."""

    _text = Text(f"one of {', '.join(WORDS)}")

    def read(self, node: Node, at: str, problems: Problems) -> Scalar | None:
        word = self._text.read(node, at, problems)
        if word is not None and word.text not in WORDS:
            problems.unknown(word.span, "cell", word.text, WORDS)
            return None
        return word

    def schema(self) -> Schema:
        return {"enum": list(WORDS)}


class _Cell:
    """A word, or a list of classes that are found together."""

    _words = OneOrMore(_Word(), 1, "a cell of which nothing is expected decides nothing")

    def read(self, node: Node, at: str, problems: Problems) -> Expected | None:
        words = self._words.read(node, at, problems)
        if not words:
            return None
        for word in words:
            if word.text in _ALONE and len(words) > 1:
                message = f"{word.text!r} stands alone in a cell"
                problems.add(word.span, message, expected="classes, or one word")
                return None
        return Expected(words[0].span, tuple(sorted({word.text for word in words})))

    def schema(self) -> Schema:
        return self._words.schema()


DOCUMENT = Record(
    "the matrix",
    {
        "summary": Field(Text("one line of text", r"[^\n]+"), "one line for people", required=True),
        "vary": Field(
            Text("a variable's name", r"[a-z][a-z0-9_-]*"),
            "the variable of the scenarios whose values are the rows",
            required=True,
        ),
        "threats": Field(MapOf(_NAME, _Threat(), 1), "the columns", required=True),
        "cells": Field(
            MapOf(Text("a value of the variable"), MapOf(_NAME, _Cell(), 1), 1),
            "what each value must come out as under each threat",
            required=True,
        ),
    },
)


def decode(root: Node, problems: Problems) -> Matrix:
    """The matrix of a document; what is wrong is noted and left out of it."""
    filled = DOCUMENT.fill(root, "the file", problems)
    values: Mapping[str, Any] = filled.values if filled else {}
    all_read = not problems.found
    summary, variable = values.get("summary"), values.get("vary")
    threats = tuple(_threat(name, one) for name, one in values.get("threats", ()))
    rows = tuple(
        Row(name.text, name.span, {threat.text: cell for threat, cell in cells})
        for name, cells in values.get("cells", ())
    )
    if "threats" in values:
        _note_unknown_threats(values, threats, problems)
    if all_read:
        _note_missing_cells(rows, threats, problems)
    return Matrix(
        summary.text if summary else "",
        variable.text if variable else "",
        variable.span if variable else root.span,
        threats,
        rows,
    )


def _threat(name: Scalar, filled: Filled) -> Threat:
    file, subject = filled.get("file"), filled.get("subject")
    return Threat(
        name.text, Listed(file.span, file.text), subject.text, subject.span, filled.get("says").text
    )


def _note_unknown_threats(values: Mapping[str, Any], threats: Sequence[Threat], problems: Problems) -> None:
    known = [threat.name for threat in threats]
    for _, cells in values.get("cells", ()):
        for threat, _ in cells:
            if threat.text not in known:
                problems.unknown(threat.span, "threat", threat.text, known)


def _note_missing_cells(rows: Sequence[Row], threats: Sequence[Threat], problems: Problems) -> None:
    for row in rows:
        for threat in threats:
            if threat.name not in row.cells:
                problems.add(row.span, f"the row {row.name!r} has no cell for the threat {threat.name!r}")


def note_unfit(threat: Threat, plans: Sequence[Plan], matrix: Matrix, problems: Problems) -> None:
    """Note what keeps a scenario's runs from deciding the cells of a column."""
    for problem in dict.fromkeys(_unfit(threat, plans, matrix)):
        problems.add(*problem)
    values = {plan.variant.get(matrix.variable, "") for plan in plans}
    if values <= {""}:
        return
    for row in matrix.rows:
        if row.name not in values:
            problems.unknown(row.span, f"{matrix.variable} of {threat.listed.file!r}", row.name, values)
    for value in sorted(values - {row.name for row in matrix.rows}):
        message = f"{threat.listed.file!r} varies {matrix.variable} to {value!r}, for which there is no row"
        problems.add(matrix.variable_span, message, hint="add one to 'cells'")


def _unfit(threat: Threat, plans: Sequence[Plan], matrix: Matrix) -> Iterator[tuple[Span, str]]:
    file = threat.listed
    for plan in plans:
        if set(plan.variant) != {matrix.variable}:
            varies = ", ".join(plan.variant) or "nothing"
            yield file.span, f"{file.file!r} varies {varies}, and the rows are values of {matrix.variable!r}"
        if plan.controls or plan.sweep or plan.repeat:
            yield file.span, f"{file.file!r} is a control, a sweep or repeated: a cell is decided by one run"
        if JUDGED_BY not in {each.name for each in plan.invariants}:
            yield file.span, f"{file.file!r} does not hold {JUDGED_BY!r}, by which cells are judged"
        if threat.subject not in plan.services:
            services = ", ".join(plan.services) or "none"
            yield (
                threat.subject_span,
                f"{threat.subject!r} is no service of {file.file!r}, which has {services}",
            )
