# SPDX-License-Identifier: GPL-3.0-only
"""The verbs of the language: one table that the decoder, the schema and the README's test read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from harness.model.scenario import (
    Connect,
    Disconnect,
    During,
    HoldStart,
    Install,
    Reboot,
    RebootHow,
    Refresh,
    Release,
    Remove,
    Revert,
    Run,
    Step,
    WaitHeld,
    WaitSettled,
    WaitUnit,
    WaitUntil,
    When,
    WithFault,
)
from harness.model.spans import Span
from harness.scenario.faults import FAULT, FAULTS
from harness.scenario.points import POINT, WHATS
from harness.scenario.shapes import (
    Choice,
    Duration,
    Field,
    Filled,
    ListOf,
    MapOf,
    Record,
    Schema,
    Shape,
    Text,
)
from harness.scenario.source import Node, Problems, Scalar, Table, describe
from harness.scenario.unit_holds import HELD_UNIT, HoldShape

# systemd's ActiveState, org.freedesktop.systemd1(5)
ACTIVE_STATES = ("active", "inactive", "failed", "activating", "deactivating", "reloading", "maintenance")
UNIT = r"[\w:.\\@-]+\.(service|socket|mount|target|timer|path|device|swap|slice|scope|automount)"
_WAITS = "settled, {until: COMMAND}, {unit: NAME, state: STATE} or {held: UNIT}"
_SNAP = Text("the name of a snap")
_COMMAND = Text("a shell command")
# `plug` names a snap's plug; a slot of the system is written `:slot` or left out
CONNECTION = Text("'snap:plug' or 'snap:plug snap:slot'", r"[a-z0-9-]+:[a-z0-9-]+( +[a-z0-9-]*:[a-z0-9-]+)?")


@dataclass(frozen=True, slots=True)
class StepKind:
    """A verb: its keys (the first is the verb itself), and what they become.

    `is_change` marks what snapd carries out as a change, which other steps can happen `during`, and
    `in_start` what needs nothing of the machine that a start does not have.
    """

    summary: str
    fields: Mapping[str, Field]
    make: Callable[[Span, Mapping[str, Any]], Step]
    is_change: bool = False
    in_start: bool = False

    @property
    def word(self) -> str:
        """The key that tells this kind of step from the others."""
        return next(iter(self.fields))


class _OneSnapTo:
    """``{core: "2.68.3"}``: exactly one snap and what it is brought to."""

    _map = MapOf(_SNAP, Text("a core of the catalogue, or a variant of the snap"))

    def read(self, node: Node, at: str, problems: Problems) -> tuple[Scalar, Scalar] | None:
        pairs = self._map.read(node, at, problems)
        if pairs is None or len(pairs) == 1:
            return pairs[0] if pairs else None
        if len(cast("Table", node).entries) != 1:
            problems.add(node.span, f"{at} names {len(pairs)} snaps", expected="one snap, as in {core: NAME}")
        return None

    def schema(self) -> Schema:
        return self._map.schema() | {"minProperties": 1, "maxProperties": 1}


class _Wait:
    """``settled``, ``{until: …}``, ``{unit: …, state: …}`` or ``{held: …}``."""

    _within = Field(Duration(), "how long; the step's time-out by default")
    _until = Record("wait", {"until": Field(_COMMAND, "a shell command", required=True), "within": _within})
    _unit = Record(
        "wait",
        {
            "unit": Field(Text("a unit's name, such as x.service", UNIT), "a unit's name", required=True),
            "state": Field(Choice("state", ACTIVE_STATES), "the unit's ActiveState", required=True),
            "within": _within,
        },
    )
    _held = Record(
        "wait", {"held": Field(HELD_UNIT, "a unit that is held", required=True), "within": _within}
    )

    def read(self, node: Node, at: str, problems: Problems) -> Filled | None:
        if isinstance(node, Scalar) and node.text == "settled":
            return Filled(node.span, {}, whole=True)
        if not isinstance(node, Table):
            problems.add(node.span, f"{at} is {describe(node)}", expected=_WAITS)
            return None
        given = [word for word in ("until", "unit", "held") if node.get(word) is not None]
        if len(given) > 1:
            names = " and ".join(f"'{word}'" for word in given)
            problems.add(node.span, f"{at} has both {names}", expected="one of them")
            return None
        by_unit = node.get("unit") is not None or node.get("state") is not None
        by = self._held if given == ["held"] else self._unit if by_unit else self._until
        return by.read(node, at, problems)

    def schema(self) -> Schema:
        records = (self._until, self._unit, self._held)
        return {"anyOf": [{"const": "settled"}, *(record.schema() for record in records)]}


class StepOf(Enum):
    """Where a step stands, and so which ones there are: what it is called in messages and in the schema."""

    STEPS = "step"
    DURING = "change"
    START = "step of a start"

    @property
    def definition(self) -> str:
        """Its name in the schema."""
        return self.value.replace(" ", "-")


class _OneStep:
    """A step: a mapping with the verb as its key, one of those that there are where it stands."""

    def __init__(self, of: StepOf) -> None:
        self._of = of

    def read(self, node: Node, at: str, problems: Problems) -> Step | None:
        kinds = _kinds(self._of)
        if not isinstance(node, Table):
            hint = (
                f"did you mean '{node.text}: …'?" if isinstance(node, Scalar) and node.text in kinds else ""
            )
            problems.add(
                node.span, f"{at} is {describe(node)}", expected="a step, as in 'reboot: clean'", hint=hint
            )
            return None
        kind = self._kind_of(node, at, kinds, problems)
        if kind is None:
            return None
        filled = Record(f"the step '{kind.word}'", kind.fields).read(node, at, problems)
        span = next(key.span for key, _ in node.entries if key.text == kind.word)
        return kind.make(span, filled.values) if filled else None

    def _kind_of(
        self, node: Table, at: str, kinds: Mapping[str, StepKind], problems: Problems
    ) -> StepKind | None:
        verbs = [key for key, _ in node.entries if key.text in kinds]
        if len(verbs) == 1:
            return kinds[verbs[0].text]
        if verbs:
            names = " and ".join(f"'{key.text}'" for key in verbs)
            problems.add(
                verbs[1].span,
                f"{at} has {names}",
                expected="one step to an item",
                hint="put '- ' before each",
            )
        elif not node.entries:
            problems.add(node.span, f"{at} is empty", expected=f"one of {', '.join(kinds)}")
        else:
            first = node.entries[0][0]
            problems.unknown(first.span, self._of.value, first.text, kinds)
        return None

    def schema(self) -> Schema:
        return {"$ref": f"#/$defs/{self._of.definition}"}


def split_connection(text: str) -> tuple[str, str]:
    """``a:b c:d`` to its plug and slot; the slot is empty when it was left out."""
    plug, _, slot = text.partition(" ")
    return plug, slot.strip()


def _wait(span: Span, values: Mapping[str, Any]) -> Step:
    found: Filled = values["wait"]
    match found.values:
        case {"until": command}:
            return WaitUntil(span, command.text, found.get("within"))
        case {"unit": unit, "state": state}:
            return WaitUnit(span, unit.text, state, found.get("within"))
        case {"held": unit}:
            return WaitHeld(span, unit.text, found.get("within"))
        case _:
            return WaitSettled(span)


def _fields(word: str, shape: Shape[Any], summary: str, **others: Field) -> dict[str, Field]:
    return {word: Field(shape, summary, required=True), **others}


STEP: Shape[Step] = _OneStep(StepOf.STEPS)
CHANGE: Shape[Step] = _OneStep(StepOf.DURING)
START_STEP: Shape[Step] = _OneStep(StepOf.START)

STEP_KINDS: tuple[StepKind, ...] = (
    StepKind(
        "install a snap of the catalogue, and make the connections that the catalogue gives it",
        _fields("install", _SNAP, "the name of a snap"),
        lambda span, v: Install(span, v["install"].text),
        is_change=True,
        in_start=True,
    ),
    StepKind(
        "bring an installed snap to another revision: a core of the catalogue, or a variant of the snap",
        _fields("refresh", _OneSnapTo(), "the snap and what it is brought to, as in {core: NAME}"),
        lambda span, v: Refresh(span, v["refresh"][0].text, v["refresh"][1].text),
        is_change=True,
        in_start=True,
    ),
    StepKind(
        "go back to the revision that was current before",
        _fields("revert", _SNAP, "the name of a snap"),
        lambda span, v: Revert(span, v["revert"].text),
        is_change=True,
        in_start=True,
    ),
    StepKind(
        "remove a snap",
        _fields("remove", _SNAP, "the name of a snap"),
        lambda span, v: Remove(span, v["remove"].text),
        is_change=True,
        in_start=True,
    ),
    StepKind(
        "connect a plug to the system's slot of the same name, or to the slot given",
        _fields("connect", CONNECTION, CONNECTION.what),
        lambda span, v: Connect(span, *split_connection(v["connect"].text)),
        in_start=True,
    ),
    StepKind(
        "disconnect a plug",
        _fields("disconnect", CONNECTION, CONNECTION.what),
        lambda span, v: Disconnect(span, *split_connection(v["disconnect"].text)),
        in_start=True,
    ),
    StepKind(
        "end this boot (clean: the guest shuts down; reset: the reset button; kill: QEMU is killed;"
        " power-cut: and what was not flushed is lost; panic: the kernel's) and wait for the next",
        _fields("reboot", Choice("kind of reboot", tuple(RebootHow)), f"one of {', '.join(RebootHow)}"),
        lambda span, v: Reboot(span, RebootHow(v["reboot"])),
        in_start=True,
    ),
    StepKind(
        "wait until the boot has settled, a command succeeds, a unit is in a state, or one is held",
        _fields("wait", _Wait(), _WAITS),
        _wait,
        in_start=True,
    ),
    StepKind(
        "keep a unit from starting, from its next start on: until its release, for a time, or until a command"
        " succeeds",
        _fields(
            "hold", HoldShape(), "a unit, or {unit: NAME, for: DURATION} or {unit: NAME, until: COMMAND}"
        ),
        lambda span, v: HoldStart(span, *v["hold"]),
        in_start=True,
    ),
    StepKind(
        "let a held unit start",
        _fields("release", HELD_UNIT, "a unit that is held"),
        lambda span, v: Release(span, v["release"].text),
    ),
    StepKind(
        "wait for a point; one that is not reached in time makes the run UNPROVEN",
        _fields("when", POINT, WHATS, within=Field(Duration(), "how long; the step's time-out by default")),
        lambda span, v: When(span, v["when"], v.get("within")),
    ),
    StepKind(
        "carry out `do` with something gone wrong, which is put right afterwards",
        _fields(
            "fault",
            FAULT,
            f"one of {', '.join(FAULTS)}",
            do=Field(ListOf(STEP, 1, "say what is done meanwhile"), "the steps to carry out meanwhile"),
        ),
        lambda span, v: WithFault(span, v["fault"], v.get("do", ())),
    ),
    StepKind(
        "run a shell command in the guest as root; a status other than 0 ends the run as an error",
        _fields("run", _COMMAND, "a shell command"),
        lambda span, v: Run(span, v["run"].text),
        in_start=True,
    ),
    StepKind(
        "start a change without waiting for it, and carry out `do` while it is under way",
        _fields(
            "during",
            CHANGE,
            "a change: install, refresh, revert or remove",
            do=Field(ListOf(STEP, 1, "say what is done meanwhile"), "the steps to carry out", required=True),
        ),
        lambda span, v: During(span, v["during"], v["do"]),
        in_start=True,
    ),
)


def _kinds(of: StepOf) -> Mapping[str, StepKind]:
    match of:
        case StepOf.STEPS:
            return {kind.word: kind for kind in STEP_KINDS}
        case StepOf.DURING:
            return {kind.word: kind for kind in STEP_KINDS if kind.is_change}
        case StepOf.START:
            return {kind.word: kind for kind in STEP_KINDS if kind.in_start}


def step_schema(of: StepOf) -> Schema:
    """JSON schema of one step, where it stands."""
    kinds = _kinds(of).values()
    return {"oneOf": [Record(kind.word, kind.fields).schema() | {"title": kind.summary} for kind in kinds]}
