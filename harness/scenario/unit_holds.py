# SPDX-License-Identifier: GPL-3.0-only
"""Units that are held: how a scenario says it, and which are at each point of it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.plan import AwaitUnit, HoldUnit, ReleaseUnit
from harness.model.scenario import (
    Connect,
    Disconnect,
    During,
    HoldStart,
    Install,
    Refresh,
    Release,
    Remove,
    Revert,
    Step,
    WaitHeld,
)
from harness.model.spans import Span
from harness.scenario import durations
from harness.scenario.sequence import all_of, ends_boot
from harness.scenario.shapes import Duration, Field, Record, Schema, Text
from harness.scenario.source import Node, Problems, Table
from harness.scenario.titles import first_line

HELD_UNIT = Text("a unit's name, such as x.service", r"[\w:.\\@-]+\.(service|mount|socket)")
_SNAPD = "snapd.service"


class HoldShape:
    """``x.service``, ``{unit: x.service, for: 30 s}`` or ``{unit: x.service, until: COMMAND}``."""

    _record = Record(
        "hold",
        {
            "unit": Field(HELD_UNIT, "a unit's name", required=True),
            "for": Field(Duration(), "for how long, from when it was to start"),
            "until": Field(Text("a shell command"), "a shell command that ends the hold by succeeding"),
        },
    )

    def read(self, node: Node, at: str, problems: Problems) -> tuple[str, float | None, str] | None:
        """Unit, seconds and command."""
        if not isinstance(node, Table):
            unit = HELD_UNIT.read(node, at, problems)
            return (unit.text, None, "") if unit else None
        filled = self._record.read(node, at, problems)
        if filled is None:
            return None
        seconds, until = filled.get("for"), filled.get("until")
        if seconds is not None and until is not None:
            problems.add(node.span, f"{at} has both 'for' and 'until'", expected="one of them")
            return None
        return filled.get("unit").text, seconds, until.text if until else ""

    def schema(self) -> Schema:
        """A text or an object."""
        return {"anyOf": [HELD_UNIT.schema(), self._record.schema()]}


@dataclass(slots=True)
class _Held:
    action: HoldUnit
    span: Span
    boots: int = 0


class UnitHolds:
    """Follows holds and releases; what cannot be is noted as a mistake.

    `longest_until` is the nominal time, in seconds, that a command which ends a hold is given.
    """

    def __init__(self, longest_until: float, problems: Problems) -> None:
        self._longest_until = longest_until
        self._problems = problems
        self._held: dict[str, _Held] = {}
        self._count = 0

    def hold(self, step: HoldStart) -> HoldUnit:
        """Begin a hold."""
        if step.unit in self._held:
            since = self._held[step.unit].span
            self._problems.add(step.span, f"{step.unit!r} is already held here, since {since}")
        self._count += 1
        action = HoldUnit(self._count, step.unit, step.seconds or 0.0, step.until)
        self._held[step.unit] = _Held(action, step.span)
        return action

    def title(self, step: HoldStart) -> str:
        """How people are told of it."""
        if step.seconds:
            return f"hold {step.unit} for {durations.show(step.seconds)}"
        return f"hold {step.unit}" + (f" until {first_line(step.until)}" if step.until else "")

    def release(self, step: Release) -> ReleaseUnit | None:
        """End a hold; None when there is none to end."""
        held = self._known(step.unit, step.span, "release")
        if held is None:
            return None
        if held.action.ends_itself:
            message = f"the hold of {step.unit!r} ends by itself"
            self._problems.add(
                step.span, message, hint="leave the release out, or 'for' and 'until' of the hold"
            )
            return None
        del self._held[step.unit]
        return ReleaseUnit(held.action.number, step.unit)

    def awaited(self, step: WaitHeld) -> AwaitUnit | None:
        """What to wait for: the unit's start waits for the service of its hold."""
        held = self._known(step.unit, step.span, "wait for")
        return AwaitUnit(held.action.service, "activating") if held else None

    def reboot(self) -> None:
        """The next boot begins: those that end by themselves are for one boot's beginning only."""
        self._held = {u: h for u, h in self._held.items() if not (h.boots and h.action.ends_itself)}
        for held in self._held.values():
            held.boots += 1

    @property
    def await_release(self) -> bool:
        """Whether this boot began with a unit held that still waits for its release."""
        return any(held.boots and not held.action.ends_itself for held in self._held.values())

    def holds(self, unit: str) -> bool:
        """Whether this boot began with the unit held, or its next start is kept waiting."""
        return unit in self._held

    @property
    def longest(self) -> float:
        """How long a unit may be held before its hold has ended by itself, in nominal seconds."""
        times = (
            held.action.seconds or self._longest_until
            for held in self._held.values()
            if held.action.ends_itself
        )
        return max(times, default=0.0)

    def check(self, step: Step) -> None:
        """Note what cannot be done because snapd is held."""
        held = self._held.get(_SNAPD)
        if held is None or held.action.ends_itself:
            return
        change = step.step if isinstance(step, During) else step
        if not isinstance(change, Install | Refresh | Revert | Remove | Connect | Disconnect):
            return
        inner = [each for done in step.do for each in all_of(done)] if isinstance(step, During) else []
        is_cut = any(ends_boot(each) or each == Release(each.span, _SNAPD) for each in inner)
        restarts = isinstance(change, Refresh | Revert) and change.snap == "core"
        if held.boots or (restarts and not is_cut):
            message = f"{_SNAPD!r} is held here (since {held.span}), so this change would never be done"
            self._problems.add(step.span, message, hint=f"write 'release: {_SNAPD}' before")

    def finish(self) -> None:
        """Note what is never released."""
        for held in self._held.values():
            if not held.action.ends_itself:
                hint = f"write 'release: {held.action.unit}', or give it 'for' or 'until'"
                self._problems.add(held.span, f"{held.action.unit!r} is never released", hint=hint)

    def _known(self, unit: str, span: Span, verb: str) -> _Held | None:
        if unit not in self._held:
            held = ", ".join(self._held)
            hint = f"held here: {held}" if held else f"write 'hold: {unit}' before"
            self._problems.add(span, f"cannot {verb} {unit!r}: it is not held here", hint=hint)
        return self._held.get(unit)
