# SPDX-License-Identifier: GPL-3.0-only
"""Faults in the language: a word, or a mapping with one key that says which and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.model.fault import (
    COMPILERS,
    SNAPD,
    Direction,
    Dying,
    Failing,
    Fault,
    Frozen,
    FullDisk,
    IoErrors,
    Killed,
    LinkDown,
    Slow,
    SlowDisk,
)
from harness.scenario import durations
from harness.scenario.amounts import Size, Whole, show_size
from harness.scenario.shapes import Choice, Duration, Field, Record, Schema, Shape, Text
from harness.scenario.source import Node, Problems, Scalar, Table, describe

_MOST_BPS = 1 << 40
_COMPILER = Choice("policy compiler", COMPILERS)
_SNAPD = Choice("what can be stopped", (SNAPD,))
_INTERFACES = ("eth1",)


class _SlowDisk:
    _record = Record(
        "slow-disk",
        {
            "iops": Field(Whole(1, 1_000_000), "requests a second"),
            "bps": Field(Size(512 << 10, _MOST_BPS), "bytes a second, such as 1 MiB"),
        },
    )

    def read(self, node: Node, at: str, problems: Problems) -> SlowDisk | None:
        filled = self._record.read(node, at, problems)
        if filled is None:
            return None
        if not filled.values:
            problems.add(node.span, f"{at} sets no bound", expected="iops, bps or both")
            return None
        return SlowDisk(filled.get("iops", 0), filled.get("bps", 0))

    def schema(self) -> Schema:
        return self._record.schema() | {"minProperties": 1}


_SLOW = Record(
    "slow",
    {
        "program": Field(Choice("program that can be slow", (*COMPILERS, SNAPD)), "which", required=True),
        "by": Field(Duration(), "how much longer each execution takes", required=True),
    },
)


class _Dying:
    """A compiler's name, or ``{program: …, given: …}``."""

    _record = Record(
        "dying",
        {
            "program": Field(_COMPILER, "which", required=True),
            "given": Field(Text("an argument"), "only where this is one of its arguments", required=True),
        },
    )

    def read(self, node: Node, at: str, problems: Problems) -> Dying | None:
        if not isinstance(node, Table):
            program = _COMPILER.read(node, at, problems)
            return None if program is None else Dying(program)
        filled = self._record.read(node, at, problems)
        return None if filled is None else Dying(filled.get("program"), filled.get("given").text)

    def schema(self) -> Schema:
        return {"anyOf": [_COMPILER.schema(), self._record.schema()]}


_KINDS: Mapping[str, tuple[Field, Callable[[Any], Fault]]] = {
    "slow-disk": (Field(_SlowDisk(), "the root disk is slow: {iops: N}, {bps: SIZE} or both"), lambda it: it),
    "io-errors": (
        Field(Choice("direction", tuple(Direction)), "all reads or writes of the root disk fail"),
        lambda it: IoErrors(Direction(it)),
    ),
    "link-down": (
        Field(Choice("interface that can be unplugged", _INTERFACES), "a network cable is out"),
        LinkDown,
    ),
    "frozen": (Field(_SNAPD, "snapd's processes are stopped meanwhile"), Frozen),
    "killed": (Field(_SNAPD, "snapd's processes get SIGKILL, once"), Killed),
    "slow": (
        Field(_SLOW, "each execution of a policy compiler, or snapd's start, takes longer"),
        lambda it: Slow(it.get("program"), it.get("by")),
    ),
    "failing": (Field(_COMPILER, "a policy compiler cannot be executed"), Failing),
    "dying": (Field(_Dying(), "a policy compiler is killed each time that it is executed"), lambda it: it),
}
_FULL = "full-disk"
FAULTS = (_FULL, *_KINDS)


class FaultShape:
    """``full-disk``, or a mapping such as ``{frozen: snapd}``."""

    def read(self, node: Node, at: str, problems: Problems) -> Fault | None:
        """The fault."""
        if isinstance(node, Scalar) and node.text == _FULL:
            return FullDisk()
        if isinstance(node, Scalar) and node.text in _KINDS:
            problems.add(
                node.span, f"{at} is {node.text!r}, which needs more", expected=f"{{{node.text}: …}}"
            )
            return None
        if isinstance(node, Scalar) and not node.is_null:
            problems.unknown(node.span, "fault", node.text, FAULTS)
            return None
        if not isinstance(node, Table) or not node.entries:
            problems.add(node.span, f"{at} is {describe(node)}", expected=f"one of {', '.join(FAULTS)}")
            return None
        return self._of_table(node, at, problems)

    def _of_table(self, node: Table, at: str, problems: Problems) -> Fault | None:
        (key, child), *more = node.entries
        if more:
            problems.add(
                more[0][0].span, f"{at} has {len(more) + 1} faults", expected="one, with a block of its own"
            )
            return None
        if key.text not in _KINDS:
            problems.unknown(key.span, "fault", key.text, FAULTS)
            return None
        field, make = _KINDS[key.text]
        value = field.shape.read(child, f"'{key.text}'", problems)
        return None if value is None else make(value)

    def schema(self) -> Schema:
        """The word, or an object with exactly one of the keys."""
        fields = {word: field for word, (field, _) in _KINDS.items()}
        one = {"minProperties": 1, "maxProperties": 1}
        return {"anyOf": [{"const": _FULL}, Record("fault", fields).schema() | one]}


FAULT: Shape[Fault] = FaultShape()


def show_fault(fault: Fault) -> str:
    """How people are told of it, as the end of a sentence that begins with what is done: ``with …``."""
    match fault:
        case FullDisk():
            return "a full disk"
        case SlowDisk(iops, bps):
            bounds = [f"{iops} requests"] * bool(iops) + ([f"{show_size(bps)}"] if bps else [])
            return f"a slow disk ({' and '.join(bounds)} a second)"
        case IoErrors(fail):
            return f"a disk whose {fail} fail"
        case LinkDown(interface):
            return f"the cable of {interface} out"
        case Frozen(what):
            return f"{what} frozen"
        case Killed(what):
            return f"{what} killed"
        case Slow(program, seconds):
            return f"{program} {durations.show(seconds)} slower"
        case Failing(program):
            return f"{program} failing"
        case Dying(program, given):
            return f"{program} {given} dying" if given else f"{program} dying"


def is_momentary(fault: Fault) -> bool:
    """Whether it is over as soon as it is done."""
    return isinstance(fault, Killed)
