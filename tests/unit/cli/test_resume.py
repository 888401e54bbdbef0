# SPDX-License-Identifier: GPL-3.0-only
"""`harness run --resume` picks the plan that was recorded and refuses another; judging counts states."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import judge, lab_options, report, run
from harness.cli.program import main
from harness.errors import Mistake
from harness.lab_spec import LabOptions
from harness.model import codec
from harness.model.plan import Plan
from harness.model.sweep import Cut, DistinctState
from harness.model.sweep_summary import SUMMARY, StateRun, SweepSummary
from harness.model.verdict import Outcome
from harness.planning import plan_all
from harness.planning_resume import resumed
from harness.record import is_closed, read_plan
from harness.results import Runner, RunResult
from harness.scenario.after_cut import after_cut
from tests.plugin.conftest import CATALOGUE, SCENARIO
from tests.plugin.fake_runner import finding, recorded, verdict

HELD = "  - console-clean\n"
SWEPT = f"{SCENARIO}{HELD}sweep: {{cut: every-flush, during: refresh}}\n"
VARIED = SWEPT.replace('"2.68.3"', '"${to}"').replace("steps:", 'vary:\n  to: ["2.68.3", "2.77.1"]\nsteps:')

Recorded = Callable[..., Path]


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "catalogue.yaml").write_text(CATALOGUE)
    monkeypatch.chdir(tmp_path)


def plans(text: str, name: str = "s.yaml") -> tuple[Plan, ...]:
    Path(name).write_text(text)
    return plan_all([Path(name)])


def record(plan: Plan, name: str = "runs/recording") -> Path:
    recorded(plan, Path(name), failed=False)
    return Path(name)


def refused(given: tuple[Plan, ...], directory: Path) -> str:
    with pytest.raises(Mistake) as caught:
        resumed(given, directory)
    return str(caught.value)


def test_the_plan_recorded_is_found() -> None:
    (plan,) = plans(SWEPT)
    assert resumed((plan,), record(plan)) == plan


def test_of_a_matrix_the_point_recorded_is_found() -> None:
    first, second = plans(VARIED)
    assert resumed((first, second), record(second)) == second
    assert refused((first,), Path("runs/recording")) == (
        "cannot go on with runs/recording: it is of s[to=2.77.1], not of s[to=2.68.3]\n"
        "  harness run s.yaml --set-variant to=2.77.1 --resume runs/recording"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"# a comment\n\n{SWEPT}",
        SWEPT.replace("during: refresh}", "during: refresh, budget: 2 h}"),
    ],
)
def test_where_it_is_written_and_the_budget_may_differ(text: str) -> None:
    directory = record(plans(SWEPT)[0])
    (now,) = plans(text)
    assert resumed((now,), directory) is now


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (SWEPT.replace('"2.68.3"', '"2.77.1"'), "snaps, steps"),
        (SWEPT.replace(HELD, "  - console-clean: {allow: [segfault]}\n"), "invariants"),
        (SWEPT.replace("cut: every-flush", "cut: 20"), "sweep"),
        (SCENARIO + HELD, "sweep"),
        (f"{SWEPT}timeouts: {{boot: 1 min}}\n", "steps, timeouts"),
    ],
)
def test_a_scenario_that_was_changed_is_told(text: str, fields: str) -> None:
    directory = record(plans(SWEPT)[0])
    says = refused(plans(text), directory)
    assert "cannot go on with runs/recording: s.yaml is not what was recorded (" in says
    assert set(fields.split(", ")) <= set(says.partition("(")[2].partition(")")[0].split(", "))
    assert says.endswith(
        "make it again as runs/recording/plan.json says, or carry it out anew: harness run s.yaml"
    )


def test_another_scenario_is_told_which_to_run() -> None:
    directory = record(plans(SWEPT)[0])
    assert refused(plans(SWEPT, "other one.yaml"), directory) == (
        "cannot go on with runs/recording: it is of s, not of other one\n"
        "  harness run s.yaml --resume runs/recording"
    )


def test_what_is_no_recording_is_refused() -> None:
    (swept,) = plans(SWEPT)
    (single,) = plans(SCENARIO)
    assert "it is no run directory" in refused((swept,), Path("nowhere"))
    assert refused((swept,), record(single, "runs/single")).endswith(
        "runs/single: its scenario has no sweep\n  carry it out anew: harness run s.yaml"
    )
    state = DistinctState("d", Cut(3), 1, ())
    assert refused((swept,), record(after_cut(swept, "recording", state), "runs/state")) == (
        "cannot go on with runs/state: it is the boot after a cut of recording\n"
        "  go on with the sweep: harness run s.yaml --resume runs/recording"
    )


# -- the command line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["s.yaml", "other.yaml"], "cannot go on with a sweep of several scenarios"),
        (["s.yaml", "--runs", "elsewhere"], "they go beside its recording\n  leave --runs out"),
        (["s.yaml", "--repeat", "2"], "s.yaml: a sweep is not repeated"),
    ],
)
def test_mistakes_on_the_command_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    plans(SWEPT, "other.yaml")
    directory = record(plans(SWEPT)[0])
    assert main(["run", *arguments, "--resume", str(directory)]) == 64
    assert says in capsys.readouterr().err
    assert list(Path("runs").iterdir()) == [directory]


def test_it_is_the_recording_that_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[tuple[Path, LabOptions]] = []

    @contextmanager
    def runner(directory: Path, options: LabOptions, _: object) -> Iterator[Runner]:
        given.append((directory, options))
        yield lambda plan: RunResult(plan, directory, verdict(plan, finding(Outcome.HELD)))

    monkeypatch.setattr(run, "resuming_runner", runner)
    directory = record(plans(SWEPT)[0])
    assert main(["run", "s.yaml", "--resume", str(directory)]) == 0
    monkeypatch.chdir(directory)
    assert main(["run", "../../s.yaml", "--resume", ".", "--keep"]) == 0
    here = tmp_path / "runs/recording"
    assert [(path, options.runs, options.keep) for path, options in given] == [
        (here, tmp_path / "runs", False),
        (here, tmp_path / "runs", True),
    ]
    assert capsys.readouterr().out.splitlines()[-1] == str(here)


def test_runs_go_to_runs_unless_said_otherwise() -> None:
    parser = argparse.ArgumentParser()
    run.options(parser)
    arguments = parser.parse_args(["s.yaml", "--catalogue", "c.yaml"])
    assert lab_options.chosen(arguments, Path("s.yaml")).runs == Path("runs")


# -- judging and reporting again


def summary(plan: Plan, *outcomes: str, looked: int = 9) -> SweepSummary:
    runs = tuple(StateRun(Cut(n), f"d{n}", 1, 0, outcome, "") for n, outcome in enumerate(outcomes))
    return SweepSummary(1, plan.title, "HELD", "HELD", 9, looked, "", runs, complete=looked == 9)


@pytest.mark.parametrize(
    ("states", "looked", "code"),
    [
        (["HELD"], 9, 2),
        (["HELD", "VIOLATED"], 9, 1),
        (["VIOLATED", "ERROR"], 9, 3),
        (["HELD", "NOT BOOTED"], 9, 2),
        (["MISTAKE"], 9, 3),
    ],
)
def test_judging_a_recording_again_ends_with_the_outcome_of_its_sweep(
    capsys: pytest.CaptureFixture[str], states: list[str], looked: int, code: int
) -> None:
    (plan,) = plans(SWEPT)
    directory = record(plan)
    (directory / "console.log").touch()
    (directory / "witness.jsonl").touch()
    arguments = argparse.Namespace(directory=directory, html=None, json=None)
    # Nothing lies in the record: it is UNPROVEN by itself.
    assert judge.carry_out(arguments) == 2
    before = (directory / "verdict.json").read_bytes()
    text = codec.dumps(summary(plan, *states, looked=looked))
    (directory / SUMMARY).write_text(text)
    capsys.readouterr()
    assert judge.carry_out(arguments) == code
    shown = capsys.readouterr().out
    assert "the recording: UNPROVEN" in shown
    assert {2: "UNPROVEN  9 of", 1: "VIOLATED  9 of", 3: "ERROR  9 of"}[code] in shown
    assert (directory / "verdict.json").read_bytes() == before
    assert (directory / SUMMARY).read_text() == text
    assert report.carry_out(arguments) == 0
    assert "the recording: HELD" in capsys.readouterr().out


def test_a_table_says_that_it_is_not_complete(capsys: pytest.CaptureFixture[str]) -> None:
    (plan,) = plans(SWEPT)
    directory = record(plan)
    (directory / SUMMARY).write_text(codec.dumps(summary(plan, "HELD", looked=3)))
    assert main(["report", str(directory)]) == 0
    assert f"not complete: --resume {directory} goes on with it" in capsys.readouterr().out


# -- a record that is whole


def test_a_record_is_closed_by_its_last_line() -> None:
    (plan,) = plans(SWEPT)
    recorded(plan, Path("failed"), failed=True)
    whole = record(plan)
    assert is_closed(whole)
    assert not is_closed(Path("failed"))
    assert read_plan(whole) == plan
    (whole / "plan.json").write_text(codec.dumps(replace(plan, summary="another")) + "\n")
    assert not is_closed(whole)
