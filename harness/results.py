# SPDX-License-Identifier: GPL-3.0-only
"""What a scenario came to, in the five words that every surface tells apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.errors import HarnessError, Mistake
from harness.host.progress import Tell
from harness.model.plan import Plan
from harness.model.sweep_summary import SweepSummary
from harness.model.verdict import Outcome, Verdict


class Came(StrEnum):
    """Three outcomes that were measured and two ways of not measuring; from best to worst."""

    HELD = "held"
    UNPROVEN = "unproven"
    VIOLATED = "violated"
    ERROR = "error"  # the harness or the host failed
    MISTAKE = "mistake"  # what the user wrote cannot be carried out

    @property
    def exit_code(self) -> int:
        """0 held, 1 violated, 2 unproven, 3 error, 64 mistake."""
        return _EXIT_CODES[self]


_EXIT_CODES = {Came.HELD: 0, Came.UNPROVEN: 2, Came.VIOLATED: 1, Came.ERROR: 3, Came.MISTAKE: 64}


def worst(results: Iterable[Came]) -> Came:
    """The worst of several: mistake, error, violated, unproven, held; unproven when there is none."""
    return max(results, key=list(Came).index, default=Came.UNPROVEN)


def came_of(verdict: Verdict) -> Came:
    if verdict.error:
        return Came.ERROR
    match verdict.outcome:
        case Outcome.HELD:
            return Came.HELD
        case Outcome.UNPROVEN:
            return Came.UNPROVEN
        case Outcome.VIOLATED:
            return Came.VIOLATED


def came_of_error(error: HarnessError) -> Came:
    return Came.MISTAKE if isinstance(error, Mistake) else Came.ERROR


def gate(verdict: Verdict) -> Came:
    """What a gate makes of a verdict: a control is held when it came out as it must.

    A control that measured something else is violated: the harness cannot see what it must see.
    """
    if verdict.control is None or verdict.error:
        return came_of(verdict)
    return Came.HELD if verdict.control.as_expected else Came.VIOLATED


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that left a record in `directory`, and the verdict on it.

    Of a plan that is swept, the run is the recording, and the verdict is on all that was booted too; `swept`
    says what that was, None where it never came to it.
    """

    plan: Plan
    directory: Path
    verdict: Verdict
    swept: SweepSummary | None = None


def came_of_result(result: RunResult | HarnessError) -> Came:
    """What was measured, or how it was not."""
    return came_of_error(result) if isinstance(result, HarnessError) else came_of(result.verdict)


Runner = Callable[[Plan], RunResult]
"""Carries one plan out and judges it; raises HarnessError when there was nothing to record yet."""

OpenRunner = Callable[[Tell], AbstractContextManager[Runner]]
"""Makes a runner that tells of its progress line by line; it lives for the block."""
