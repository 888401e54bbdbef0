# SPDX-License-Identifier: GPL-3.0-only
"""`sweep` in a scenario: over which step, at how many cuts, with what lost, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.model.invariants import INVARIANTS
from harness.model.plan import PlannedStep
from harness.model.scenario import (
    Connect,
    Disconnect,
    During,
    Hold,
    Install,
    Reboot,
    RebootHow,
    Refresh,
    Remove,
    Revert,
    Run,
    Scenario,
    Step,
)
from harness.model.sweep import PlannedSweep, Sweep
from harness.scenario.amounts import Whole
from harness.scenario.names import all_steps
from harness.scenario.shapes import Choice, Duration, Field, Filled, Record, Schema
from harness.scenario.source import Node, Problems, Scalar, describe

EVERY_FLUSH = "every-flush"
ONE_WRITE = "one-write"
BUDGET = 1800.0  # nominal seconds
MOST_CUTS = 100_000
VERBS: dict[str, type[Step]] = {
    "install": Install,
    "refresh": Refresh,
    "revert": Revert,
    "remove": Remove,
    "connect": Connect,
    "disconnect": Disconnect,
    "run": Run,
}
NOT_REPEATED = "a sweep is not repeated: it is over the cuts of one run"
# Their QEMU is another one, whose log begins anew (harness/machine_disk.py).
_NEW_LOG = (RebootHow.KILL, RebootHow.POWER_CUT)


class _Points:
    """``every-flush``, or a number of them."""

    _number = Whole(2, MOST_CUTS)

    def read(self, node: Node, at: str, problems: Problems) -> int | None:
        """The number; 0 for every one."""
        if isinstance(node, Scalar) and node.text == EVERY_FLUSH:
            return 0
        if isinstance(node, Scalar) and node.text.isdecimal():
            return self._number.read(node, at, problems)
        expected = f"{EVERY_FLUSH}, or how many cuts"
        problems.add(node.span, f"{at} is {describe(node)}", expected=expected)
        return None

    def schema(self) -> Schema:
        return {"anyOf": [{"const": EVERY_FLUSH}, self._number.schema()]}


class _Verb:
    """A verb, with the place where it is written."""

    _choice = Choice("verb", tuple(VERBS))

    def read(self, node: Node, at: str, problems: Problems) -> Scalar | None:
        word = self._choice.read(node, at, problems)
        return node if word and isinstance(node, Scalar) else None

    def schema(self) -> Schema:
        return self._choice.schema()


_FIELDS = Record(
    "'sweep'",
    {
        "cut": Field(_Points(), f"{EVERY_FLUSH}, or at most so many, evenly spread", required=True),
        "during": Field(_Verb(), "the verb of the one step that is swept", required=True),
        "lose": Field(Choice("loss", (ONE_WRITE,)), "'one-write': each write before a cut is lost too"),
        "budget": Field(Duration(), "how long the states may take, looked at and booted (30 min)"),
    },
)


class _Sweep:
    def read(self, node: Node, at: str, problems: Problems) -> Sweep | None:
        filled = _FIELDS.read(node, at, problems)
        return _sweep(filled) if filled else None

    def schema(self) -> Schema:
        return _FIELDS.schema()


SWEEP = _Sweep()


def _sweep(filled: Filled) -> Sweep:
    verb: Scalar = filled.get("during")
    return Sweep(
        span=filled.span,
        during=verb.text,
        verb_span=verb.span,
        points=filled.get("cut"),
        drop_one=filled.get("lose") == ONE_WRITE,
        budget=filled.get("budget", BUDGET),
    )


def note_impossible(sweep: Sweep, steps: Sequence[Step], holds: Sequence[Hold], problems: Problems) -> None:
    """Note why this cannot be swept over; the steps and holds are whole."""
    found = tuple(_candidates(sweep, steps))
    _note_candidates(sweep, found, problems)
    if found and found[0] in _under_way(steps):
        message = f"'{sweep.during}' is under way here while other steps are done"
        hint = "a sweep is over a step that is waited for; write it without 'during'"
        problems.add(found[0].span, message, hint=hint)
    for step in all_steps(steps):
        if isinstance(step, Reboot) and step.how in _NEW_LOG:
            message = f"'reboot: {step.how}' begins a new log of writes, and a sweep is over one"
            hint = "a sweep has all that a cut can leave; write 'reboot: reset' here"
            problems.add(step.span, message, hint=hint)
    if holds and not any(judged_after_cut(hold.invariant) for hold in holds):
        names = " and ".join(hold.invariant for hold in holds)
        message = f"nothing can be judged after a cut: {names} is not to be told from one boot"
        problems.add(sweep.span, message, hint="add 'policy-from-running-snapd' to 'hold'")


def _candidates(sweep: Sweep, steps: Iterable[Step]) -> Iterator[Step]:
    return (step for step in all_steps(steps) if isinstance(step, VERBS[sweep.during]))


def _note_candidates(sweep: Sweep, found: Sequence[Step], problems: Problems) -> None:
    if len(found) == 1:
        return
    message = f"no step is '{sweep.during}'"
    if found:
        lines = " and ".join(str(step.span.line) for step in found)
        message = f"{len(found)} steps are '{sweep.during}', in lines {lines}"
    problems.add(sweep.verb_span, message, expected="the verb of exactly one step")


def _under_way(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(step.step for step in all_steps(steps) if isinstance(step, During))


def judged_after_cut(invariant: str) -> bool:
    """Whether the boot after a cut can be judged by it."""
    return not INVARIANTS[invariant].whole_run


def planned_sweep(scenario: Scenario, steps: Sequence[PlannedStep]) -> PlannedSweep | None:
    """The sweep with the number of the step that it is over; implied steps have no place in a file."""
    sweep = scenario.sweep
    if sweep is None:
        return None
    spans = [step.span for step in _candidates(sweep, scenario.steps)]
    number = next((step.number for step in steps if step.span in spans), "")
    return PlannedSweep(number, sweep.points, sweep.drop_one, sweep.budget)


def describe_cuts(sweep: PlannedSweep) -> str:
    """Which cuts, in words."""
    points = f"at {sweep.points} flushes at most, evenly spread" if sweep.points else "at every flush"
    return f"{points}{', and with each write before one lost' if sweep.drop_one else ''}"
