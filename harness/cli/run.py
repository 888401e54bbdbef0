# SPDX-License-Identifier: GPL-3.0-only
"""`harness run`: scenarios in real machines, with live progress, to a verdict each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from harness.cli import lab_options, selection, verdict_page
from harness.errors import HarnessError, HostLacks
from harness.host.signals import terminate_on_signals
from harness.model.plan import Plan
from harness.report import junit
from harness.results import Came, OpenRunner, Runner, RunResult, came_of, came_of_error, gate, worst
from harness.running import lab_runner


def options(parser: argparse.ArgumentParser) -> None:
    selection.options(parser)
    lab_options.options(parser)
    add = parser.add_argument
    add("--junit", type=Path, metavar="FILE", help="also write the verdicts as JUnit XML")
    add(
        "--gate",
        action="store_true",
        help="exit 0 when a control comes out as it must (VIOLATED), 1 when it does not",
    )


def carry_out(arguments: argparse.Namespace) -> int:
    plans = selection.selected(arguments)
    return run_all(plans, partial(lab_runner, lab_options.chosen(arguments)), arguments)


def run_all(plans: Sequence[Plan], open_runner: OpenRunner, arguments: argparse.Namespace) -> int:
    """Run the plans one after the other; one that cannot be measured does not keep the next from its turn."""
    with terminate_on_signals(), open_runner(_tell) as runner:
        ran = [_run(plan, runner, len(plans) > 1) for plan in plans]
    if arguments.junit:
        _write_junit(arguments.junit, plans, ran)
    return worst(_came(one, gated=arguments.gate) for one in ran).exit_code


def _run(plan: Plan, runner: Runner, several: bool) -> RunResult | HarnessError:
    if several:
        print(f"\n== {plan.title}", flush=True)
    try:
        result = runner(plan)
    except HarnessError as error:
        print(f"harness: {plan.title}: {error}", file=sys.stderr)
        return error
    verdict_page.show(result.directory, result.verdict)
    return result


def _came(result: RunResult | HarnessError, *, gated: bool) -> Came:
    if isinstance(result, HarnessError):
        return came_of_error(result)
    return gate(result.verdict) if gated else came_of(result.verdict)


def _write_junit(path: Path, plans: Sequence[Plan], ran: Sequence[RunResult | HarnessError]) -> None:
    """:raise HostLacks: the file cannot be written."""
    cases = [_case(plan, result) for plan, result in zip(plans, ran, strict=True)]
    try:
        path.write_text(junit.document(cases), encoding="utf-8")
    except OSError as error:
        raise HostLacks(f"cannot write {path}: {error.strerror}", hint="the verdicts above stand") from error


def _case(plan: Plan, result: RunResult | HarnessError) -> junit.Case:
    if isinstance(result, HarnessError):
        return junit.Case(plan.title, result)
    return junit.Case(plan.title, result.verdict, str(result.directory))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
