# SPDX-License-Identifier: GPL-3.0-only
"""What a gate comes to: what its scenarios came out as counts only while its controls show that it sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.model.plan import Plan
from harness.model.verdict import Outcome
from harness.results import Came, RunResult, came_of_result, worst


def must_be(plan: Plan) -> Outcome:
    """What a plan of a gate has to come out as."""
    return Outcome.VIOLATED if plan.controls else Outcome.HELD


@dataclass(frozen=True, slots=True)
class Ran:
    """A plan of a gate, and what came of it."""

    plan: Plan
    result: RunResult | HarnessError

    @property
    def came(self) -> Came:
        """What it came out as."""
        return came_of_result(self.result)

    @property
    def as_it_must(self) -> bool:
        """True when a scenario held, or a control was violated by all that it names."""
        if isinstance(self.result, HarnessError) or not self.plan.controls:
            return self.came is Came.HELD
        judged = self.result.verdict.control
        return self.came is Came.VIOLATED and judged is not None and judged.as_expected

    @property
    def blind(self) -> bool:
        """True when this control does not show that its violation is seen, failing to measure included.

        A mistake that only comes to light when it is carried out, as in an option, says nothing of that.
        """
        return bool(self.plan.controls) and not self.as_it_must and self.came is not Came.MISTAKE


def blind_controls(ran: Iterable[Ran]) -> Sequence[Ran]:
    """The controls that show that the harness cannot see."""
    return [each for each in ran if each.blind]


def came_of_gate(ran: Sequence[Ran]) -> Came:
    """An error when a control is blind, whatever the rest says; else the worst of what is not as it must."""
    if blind_controls(ran):
        return Came.ERROR
    return worst(Came.HELD if each.as_it_must else each.came for each in ran)
