# SPDX-License-Identifier: GPL-3.0-only
"""From a plan to what it came to, for every surface: the engine measures, then the judge judges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.engine import run_plan
from harness.errors import Mistake
from harness.host.progress import Tell
from harness.judge import judge_directory
from harness.lab import Lab
from harness.lab_spec import AfterCut, LabOptions
from harness.model.plan import Plan
from harness.results import Runner, RunResult
from harness.running_page import write_page
from harness.running_resume import resume_sweep
from harness.running_sweep import Measure, carry_out_sweep


@contextmanager
def lab_runner(options: LabOptions, tell: Tell) -> Iterator[Runner]:
    """A runner on the machines of one lab.

    A failure to measure that left a record is in its verdict's `error`.
    """
    lab = Lab(options, tell)
    measure = measure_with(lab, tell)

    def run(plan: Plan) -> RunResult:
        if plan.sweep:
            return carry_out_sweep(plan, plan.sweep, lab, tell, measure)
        return measure.judge(plan, measure.carry_out(plan, None))

    yield run


@contextmanager
def resuming_runner(directory: Path, options: LabOptions, tell: Tell) -> Iterator[Runner]:
    """A runner that goes on with the sweep over the recording in `directory`, which is its plan's.

    Raises as `resume_sweep` does.
    """
    lab = Lab(options, tell)

    def run(plan: Plan) -> RunResult:
        if plan.sweep is None:
            raise Mistake(f"cannot go on with {directory}: {plan.file} has no sweep")
        return resume_sweep(plan, plan.sweep, directory, lab, tell, measure_with(lab, tell))

    yield run


def measure_with(lab: Lab, tell: Tell) -> Measure:
    """Measuring and judging on the machines of a lab; what is judged has its page."""

    def carry_out(plan: Plan, cut: AfterCut | None) -> Path:
        return run_plan(plan, lab, tell, cut)

    def judge(plan: Plan, directory: Path) -> RunResult:
        verdict = judge_directory(directory)
        write_page(directory, verdict, tell)
        return RunResult(plan, directory, verdict)

    return Measure(carry_out, judge)
