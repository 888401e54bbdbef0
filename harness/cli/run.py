# SPDX-License-Identifier: GPL-3.0-only
"""`harness run`: scenarios in real machines, with live progress, to a verdict each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.cli import lab_options, selection
from harness.cli.carrying_out import carry_out_series, case_of, tell, write_junit
from harness.errors import HarnessError, Mistake
from harness.host.signals import terminate_on_signals
from harness.model.plan import Plan
from harness.planning_resume import resumed
from harness.results import Came, OpenRunner, RunResult, came_of_result, gate, worst
from harness.running import lab_runner, resuming_runner


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
    add("--resume", type=Path, metavar="RUNDIR", help="go on with the sweep of that recording")


def carry_out(arguments: argparse.Namespace) -> int:
    plans = selection.selected(arguments)
    chosen = lab_options.chosen(arguments, arguments.scenarios[0])
    if arguments.resume:
        directory = _resumable(arguments)
        plan = resumed(plans, directory)
        beside = replace(chosen, runs=directory.parent)
        return run_all((plan,), partial(resuming_runner, directory, beside), arguments)
    return run_all(plans, partial(lab_runner, chosen), arguments)


def run_all(plans: Sequence[Plan], open_runner: OpenRunner, arguments: argparse.Namespace) -> int:
    """Run the plans one after the other; one that cannot be measured does not keep the next from its turn."""
    with terminate_on_signals(), open_runner(tell) as runner:
        ran = [one for plan in plans for one in carry_out_series(plan, runner, headed=len(plans) > 1)]
    if arguments.junit:
        write_junit(arguments.junit, [case_of(*each) for each in ran])
    return worst(_came(result, gated=arguments.gate) for _, result in ran).exit_code


def _resumable(arguments: argparse.Namespace) -> Path:
    """The recording's run directory by its own name, which the runs of its states know it by.

    :raise Mistake: options that do not go with it.
    """
    if len(arguments.scenarios) > 1:
        raise Mistake("cannot go on with a sweep of several scenarios", hint="give the one that was recorded")
    if arguments.runs:
        raise Mistake(
            "cannot put the runs of a sweep that goes on elsewhere: they go beside its recording",
            hint="leave --runs out",
        )
    directory: Path = arguments.resume
    return directory.resolve()


def _came(result: RunResult | HarnessError, *, gated: bool) -> Came:
    if gated and isinstance(result, RunResult):
        return gate(result.verdict)
    return came_of_result(result)
