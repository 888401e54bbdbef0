# SPDX-License-Identifier: GPL-3.0-only
"""A runner that starts nothing and measures nothing: what a scenario comes to is the name of its file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.errors import CannotMeasure, Mistake
from harness.host.progress import Tell
from harness.model.clock import HostTime
from harness.model.event import RECORD_FORMAT, RunClosed, RunFailed, RunOpened
from harness.model.plan import Plan
from harness.model.verdict import VERDICT_FORMAT, ControlJudgement, Evidence, Finding, Outcome, Verdict
from harness.record_writing import Recorder, plan_sha256
from harness.results import Runner, RunResult

INVARIANT = "snapd-is-who-it-should-be"
SEEN = "snapd is 2.57.6, expected 2.68.3"


def finding(outcome: Outcome) -> Finding:
    proof = Evidence("witness.jsonl", 12, "/proc/PID/exe")
    return Finding(INVARIANT, outcome, "other", "snapd", 2, SEEN, evidence=(proof,))


def verdict(plan: Plan, *findings: Finding, **others: Any) -> Verdict:
    outcome = findings[0].outcome if findings else Outcome.UNPROVEN
    return Verdict(VERDICT_FORMAT, plan.title, outcome, findings, **others)


def judged(plan: Plan) -> Verdict:
    """By the first word of the scenario's name."""
    match plan.scenario.rpartition("/")[2].partition("-")[0]:
        case "held":
            return verdict(plan, finding(Outcome.HELD))
        case "violated":
            return verdict(plan, finding(Outcome.VIOLATED))
        case "unproven":
            return verdict(plan)
        case "broken":
            return verdict(plan, error="step 3: the guest panicked")
        case "control":
            return verdict(plan, finding(Outcome.VIOLATED), control=ControlJudgement(True))
        case "blind":
            control = ControlJudgement(False, ("no finding is VIOLATED",))
            return verdict(plan, finding(Outcome.HELD), control=control)
        case "unbuildable":
            raise CannotMeasure("cannot build the image: no mirror", hint="give one: --mirror URL")
        case "unnamed":
            raise Mistake("cannot use the snapshot date 'x'")
        case "defect":
            raise RuntimeError("boom")
    raise AssertionError(plan.scenario)


def recorded(plan: Plan, directory: Path, *, failed: bool) -> None:
    directory.mkdir(parents=True)
    with Recorder(directory, lambda: HostTime(0)) as record:
        record.write_plan(plan)
        record.write(RunOpened(RECORD_FORMAT, "0", plan_sha256(plan)))
        if failed:
            record.write(RunFailed("8", "GuestFailed", "the guest panicked"))
        record.write(RunClosed(not failed))


@contextmanager
def fake_runner(runs: Path, tell: Tell) -> Iterator[Runner]:
    """Leaves a file called `closed` in `runs` when it is closed."""

    def run(plan: Plan) -> RunResult:
        tell(f"running {plan.title}")
        answer = judged(plan)
        directory = runs / plan.scenario
        recorded(plan, directory, failed=bool(answer.error))
        return RunResult(plan, directory, answer)

    tell("runner opened")
    yield run
    runs.mkdir(exist_ok=True)
    (runs / "closed").touch()


def pytest_revert_safety_runner(config: pytest.Config, tell: Tell) -> Any:
    """Stand behind the plugin's own hook."""
    return fake_runner(Path(config.getoption("--harness-runs")), tell)
