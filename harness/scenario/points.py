# SPDX-License-Identifier: GPL-3.0-only
"""Points of a run in the language: a mapping with one key, such as ``{ready: snapd}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.model.point import (
    WITNESSED_PROGRAMS,
    FileWritten,
    Point,
    ProgramExecuted,
    TimePassed,
    UnitReady,
    can_be_written,
)
from harness.scenario import durations
from harness.scenario.shapes import Choice, Duration, Field, Record, Schema, Shape, Text
from harness.scenario.source import Node, Problems, Scalar, Table, describe

WHATS = "{write: GLOB}, {ready: UNIT}, {exec: PROGRAM} or {after: DURATION}"
_SNAPD = "snapd"


class _Glob:
    """A glob that could match a file of which the witness tells."""

    _text = Text("a glob of absolute paths, such as /var/lib/snapd/seccomp/bpf/*.src", r"/.*")

    def read(self, node: Node, at: str, problems: Problems) -> Scalar | None:
        glob = self._text.read(node, at, problems)
        if glob is None or can_be_written(glob.text):
            return glob
        problems.add(
            glob.span,
            f"no file that {glob.text!r} matches is watched, so this point would never be reached",
            expected="policy files, /var/lib/snapd/system-key, or files in /run/snapd/ns",
        )
        return None

    def schema(self) -> Schema:
        return self._text.schema()


class PointShape:
    """A mapping with one key, which says what is waited for."""

    _kinds: ClassVar[Mapping[str, Field]] = {
        "write": Field(_Glob(), "a file that the witness watches is written"),
        "ready": Field(
            Text("'snapd', or a unit of snapd's or a snap's", r"snapd|(snapd|snap\.)[\w.@-]*\.service"),
            "a unit becomes active; of snapd that is its READY",
        ),
        "exec": Field(Choice("program that is watched", WITNESSED_PROGRAMS), "a program is executed"),
        "after": Field(Duration(), "so much time passes"),
    }
    _record = Record("when", _kinds)

    def read(self, node: Node, at: str, problems: Problems) -> Point | None:
        """The point."""
        if not isinstance(node, Table):
            problems.add(node.span, f"{at} is {describe(node)}", expected=WHATS)
            return None
        given = [key for key, _ in node.entries if key.text in self._kinds]
        if len(given) > 1:
            names = " and ".join(f"'{key.text}'" for key in given)
            problems.add(given[1].span, f"{at} has {names}", expected="one of them")
            return None
        filled = self._record.read(node, at, problems)
        if filled is None:
            return None
        match filled.values:
            case {"write": glob}:
                return FileWritten(glob.text)
            case {"ready": unit}:
                return UnitReady(f"{_SNAPD}.service" if unit.text == _SNAPD else unit.text)
            case {"exec": name}:
                return ProgramExecuted(name)
            case {"after": seconds}:
                return TimePassed(seconds)
            case _:
                problems.add(node.span, f"{at} is an empty mapping", expected=WHATS)
                return None

    def schema(self) -> Schema:
        """An object with exactly one of the keys."""
        return self._record.schema() | {"minProperties": 1, "maxProperties": 1}


POINT: Shape[Point] = PointShape()


def show_point(point: Point) -> str:
    """How people are told of it."""
    match point:
        case FileWritten(glob):
            return f"{glob} is written"
        case UnitReady(unit):
            return f"{unit} is ready"
        case ProgramExecuted(name):
            return f"{name} is executed"
        case TimePassed(seconds):
            return f"{durations.show(seconds)} have passed"
