# SPDX-License-Identifier: GPL-3.0-only
"""`harness gate`: a gate's controls and then its scenarios, to one exit code."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from harness.cli import gate_table, lab_options, selection
from harness.cli.carrying_out import carry_out_series, case_of, tell, write_junit
from harness.host.signals import terminate_on_signals
from harness.model.gate import PlannedGate
from harness.model.plan import Plan
from harness.results import OpenRunner, Runner
from harness.results_gate import Ran, came_of_gate
from harness.running import lab_runner


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("gate", type=Path, metavar="GATE", help="a gate file (*.gate.yaml)")
    selection.catalogue_option(parser)
    lab_options.options(parser)
    add("--junit", type=Path, metavar="FILE", help="also write the verdicts as JUnit XML")


def carry_out(arguments: argparse.Namespace) -> int:
    gate = selection.selected_gate(arguments.gate, arguments.catalogue)
    chosen = lab_options.chosen(arguments, arguments.gate)
    return run_gate(gate, partial(lab_runner, chosen), arguments.junit)


def run_gate(gate: PlannedGate, open_runner: OpenRunner, junit: Path | None) -> int:
    """Run the controls, then the scenarios; a blind control is told at once, and the rest still runs."""
    with terminate_on_signals(), open_runner(tell) as runner:
        ran = [one for plan in (*gate.controls, *gate.scenarios) for one in _run(plan, runner)]
    print(gate_table.render(gate, ran), end="", flush=True)
    if junit:
        write_junit(junit, [case_of(each.plan, each.result, of_gate=True) for each in ran])
    return came_of_gate(ran).exit_code


def _run(plan: Plan, runner: Runner) -> list[Ran]:
    """A run, or the repetitions of a scenario that is repeated."""
    kind = "control" if plan.controls else "scenario"
    ran = [Ran(*each) for each in carry_out_series(plan, runner, headed=True, kind=kind)]
    for each in ran:
        if each.blind:
            print(f"harness: the harness cannot see: {gate_table.says(each)}", file=sys.stderr, flush=True)
    return ran
