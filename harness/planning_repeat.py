# SPDX-License-Identifier: GPL-3.0-only
"""Repeats plans as the command line says, beside or instead of what their scenarios say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import Mistake
from harness.model.plan import Plan
from harness.model.repeat import MOST_REPETITIONS, Repeat
from harness.scenario.decode import ONCE
from harness.scenario.perturb import repetition
from harness.scenario.repeat import LARGEST_SEED, impossible
from harness.scenario.sweep import NOT_REPEATED


@dataclass(frozen=True, slots=True)
class Again:
    """`times` and `seed` instead of a scenario's own; `only` leaves that one repetition."""

    times: int | None = None
    seed: int | None = None
    only: int | None = None


def repeated(plans: Sequence[Plan], again: Again) -> tuple[Plan, ...]:
    """The plans, repeated so.

    :raise Mistake: one of them cannot be.
    """
    return tuple(_repeated(plan, again) for plan in plans)


def _repeated(plan: Plan, again: Again) -> Plan:
    if again == Again():
        return plan
    if plan.controls:
        raise Mistake(f"{plan.file}: {ONCE}")
    if plan.sweep:
        raise Mistake(f"{plan.file}: {NOT_REPEATED}")
    if plan.repeat is None and again.times is None:
        raise Mistake(
            f"{plan.file} is not repeated, so it has neither seed nor repetitions", hint="--repeat N"
        )
    repeat = _checked(plan.repeat or Repeat(times=1), again, plan.file)
    if again.only is None:
        return replace(plan, repeat=repeat)
    if not 1 <= again.only <= repeat.times:
        raise Mistake(f"{plan.file} has repetitions 1 to {repeat.times}, not {again.only}")
    return repetition(plan, repeat, again.only)


def _checked(repeat: Repeat, again: Again, file: str) -> Repeat:
    times = repeat.times if again.times is None else again.times
    seed = repeat.seed if again.seed is None else again.seed
    if not 1 <= times <= MOST_REPETITIONS:
        raise Mistake(f"cannot repeat {times} times: expected 1 to {MOST_REPETITIONS}")
    if not 0 <= seed <= LARGEST_SEED:
        raise Mistake(f"cannot use the seed {seed}: expected 0 to {LARGEST_SEED}")
    changed = replace(repeat, times=times, seed=seed)
    if wrong := impossible(changed):
        raise Mistake(f"{file}: {wrong}")
    return changed
