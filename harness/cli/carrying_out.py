# SPDX-License-Identifier: GPL-3.0-only
"""Carries plans out one by one on a terminal, and writes what they came to as JUnit XML."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.cli import verdict_page
from harness.errors import HarnessError, HostLacks
from harness.model.plan import Plan
from harness.report import junit
from harness.results import Runner, RunResult


def carry_out_one(plan: Plan, runner: Runner, *, heading: str = "") -> RunResult | HarnessError:
    """Run and judge a plan and show its verdict; a failure that left no record is told and returned."""
    if heading:
        print(f"\n== {heading}", flush=True)
    try:
        result = runner(plan)
    except HarnessError as error:
        print(f"harness: {plan.title}: {error}", file=sys.stderr)
        return error
    verdict_page.show(result.directory, result.verdict)
    return result


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
