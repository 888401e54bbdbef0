# SPDX-License-Identifier: GPL-3.0-only
"""Where a scenario's start may end: switched off in order, or as by a reset with a change under way."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.scenario import During, HoldStart, Reboot, RebootHow, Release, Step, When, WithFault
from harness.scenario.source import Problems

_HINT = "put it into 'steps'"


def begins_anew(then: Sequence[Step]) -> Reboot | None:
    """The clean reboot that `then` begins with, or None: with it, what is installed is a start by itself."""
    first = next(iter(then), None)
    return first if isinstance(first, Reboot) and first.how is RebootHow.CLEAN else None


def check_end(then: Sequence[Step], problems: Problems) -> None:
    """Note what stands in a start's `then` and does not end it in such a way."""
    last = then[-1] if then else None
    for step in then:
        if isinstance(step, During):
            _check_during(step, problems, is_last=step is last)
        if isinstance(step, HoldStart):
            _check_hold(step, problems, is_cut=isinstance(last, During))


def _check_during(step: During, problems: Problems, *, is_last: bool) -> None:
    for inner in step.do:
        if isinstance(inner, When | WithFault | Release):
            # The machine of a start has no points and no faults, since those who share it may have none.
            problems.add(inner.span, "no step of a start", hint=_HINT)
    if not is_last:
        hint = f"make it the last step of 'then', or {_HINT}"
        problems.add(step.span, "a change is under way before the end of the start", hint=hint)
        return
    end = step.do[-1] if step.do else None
    if not isinstance(end, Reboot) or end.how is not RebootHow.RESET:
        expected = "'do' that ends with 'reboot: reset'"
        problems.add(step.span, "a change is under way when the start ends", expected=expected)


def _check_hold(step: HoldStart, problems: Problems, *, is_cut: bool) -> None:
    if step.seconds is not None or step.until:
        message = f"the hold of {step.unit!r} ends by itself, so it is none for the boots after a start"
        problems.add(step.span, message, hint=f"leave 'for' and 'until' out, or {_HINT}")
    elif not is_cut:
        message = f"{step.unit!r} is held when the start's machine switches itself off"
        expected = "a start whose last step is 'during'"
        problems.add(step.span, message, expected=expected, hint=_HINT)
