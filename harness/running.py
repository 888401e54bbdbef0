# SPDX-License-Identifier: GPL-3.0-only
"""From a plan to what it came to, for every surface: the engine measures, then the judge judges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.engine import run_plan
from harness.host.progress import Tell
from harness.judge import judge_directory
from harness.lab import Lab
from harness.lab_spec import AfterCut, LabOptions
from harness.model.plan import Plan
from harness.results import Runner, RunResult
from harness.running_page import write_page
from harness.running_sweep import carry_out_sweep


@contextmanager
def lab_runner(options: LabOptions, tell: Tell) -> Iterator[Runner]:
    """A runner on the machines of one lab.

    A failure to measure that left a record is in its verdict's `error`.
    """
    lab = Lab(options, tell)

    def run_and_judge(plan: Plan, cut: AfterCut | None = None) -> RunResult:
        directory = run_plan(plan, lab, tell, cut)
        verdict = judge_directory(directory)
        write_page(directory, verdict, tell)
        return RunResult(plan, directory, verdict)

    def run(plan: Plan) -> RunResult:
        return carry_out_sweep(plan, lab, tell, run_and_judge) if plan.sweep else run_and_judge(plan)

    yield run
