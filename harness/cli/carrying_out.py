# SPDX-License-Identifier: GPL-3.0-only
"""Carries plans out one by one on a terminal, and writes what they came to as JUnit XML."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.cli import verdict_page
from harness.errors import HarnessError, HostLacks
from harness.model.plan import Plan
from harness.model.repeat import Repeat
from harness.report import junit
from harness.results import Came, Runner, RunResult, came_of_result
from harness.results_series import enough, told
from harness.scenario.perturb import repetitions


def carry_out_one(plan: Plan, runner: Runner, *, heading: str = "") -> RunResult | HarnessError:
    """Run and judge a plan and show its verdict; a failure that left no record is told and returned."""
    if heading:
        print(f"\n== {heading}", flush=True)
    try:
        result = runner(plan)
    except HarnessError as error:
        print(f"harness: {plan.title}: {error}", file=sys.stderr)
        return error
    verdict_page.show(result.directory, result.verdict, result.swept)
    return result


def carry_out_series(
    plan: Plan, runner: Runner, *, headed: bool, kind: str = ""
) -> list[tuple[Plan, RunResult | HarnessError]]:
    """Carry out as many repetitions of a plan as are needed, and say how often it was VIOLATED.

    A plan that is not repeated is one run, without such words. `kind` is put into headings.
    """
    planned = repetitions(plan)
    is_series = planned != (plan,)
    ran: list[tuple[Plan, RunResult | HarnessError]] = []
    for each in planned:
        heading = f"{kind} {each.title}".strip() if headed or is_series else ""
        ran.append((each, carry_out_one(each, runner, heading=heading)))
        if plan.repeat and enough(plan.repeat, [came_of_result(result) for _, result in ran]):
            break
    if plan.repeat and is_series:
        came = [came_of_result(result) for _, result in ran]
        lines = (f"\n== {plan.title}, repeated", *told(plan.repeat, came), *_again(plan, plan.repeat, came))
        print("\n".join(lines), flush=True)
    return ran


def _again(plan: Plan, repeat: Repeat, came: Sequence[Came]) -> Iterator[str]:
    """How to carry out once more a repetition that was VIOLATED."""
    variant = "".join(f" --set-variant {key}={value}" for key, value in plan.variant.items())
    for number, one in enumerate(came, start=1):
        if one is Came.VIOLATED:
            chosen = f"--repeat {repeat.times} --seed {repeat.seed} --only-repetition {number}"
            yield f"that of repetition {number}: harness run {plan.file}{variant} {chosen}"


def case_of(plan: Plan, result: RunResult | HarnessError, *, of_gate: bool = False) -> junit.Case:
    """The JUnit case of a plan."""
    if isinstance(result, HarnessError):
        return junit.Case(plan.title, result)
    return junit.Case(plan.title, result.verdict, str(result.directory), of_gate)


def write_junit(path: Path, cases: Sequence[junit.Case]) -> None:
    """:raise HostLacks: the file cannot be written."""
    try:
        path.write_text(junit.document(cases), encoding="utf-8")
    except OSError as error:
        raise HostLacks(f"cannot write {path}: {error.strerror}", hint="the verdicts above stand") from error


def tell(line: str) -> None:
    """Progress goes to stderr, so that stdout is verdicts alone."""
    print(line, file=sys.stderr, flush=True)
