# SPDX-License-Identifier: GPL-3.0-only
"""`harness run` with repetitions, on a runner that starts nothing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from harness.cli import gate, run
from harness.cli.program import Parser, main
from harness.errors import CannotMeasure
from harness.host.progress import Tell
from harness.model.plan import Plan
from harness.model.verdict import Outcome
from harness.planning_gate import plan_gate
from harness.results import Runner, RunResult
from harness.scenario.catalogue import load_catalogue
from tests.plugin.conftest import CATALOGUE, SCENARIO
from tests.plugin.fake_runner import finding, recorded, verdict

H, V, U, E, R = "held", "violated", "unproven", "error", "raises"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("images", "scenarios"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "catalogue.yaml").write_text(CATALOGUE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def scripted(script: Sequence[str], ran: list[Plan], _tell: Tell) -> Iterator[Runner]:
    """What each repetition comes to, by its number."""

    def carry_out(plan: Plan) -> RunResult:
        ran.append(plan)
        word = script[plan.perturbation.number - 1] if plan.perturbation else H
        if word == R:
            raise CannotMeasure("no room")
        found = {H: [finding(Outcome.HELD)], V: [finding(Outcome.VIOLATED)]}.get(word, [])
        answer = verdict(plan, *found, error="the guest panicked" if word == E else "")
        directory = Path("runs") / plan.title
        recorded(plan, directory, failed=word == E)
        return RunResult(plan, directory, answer)

    yield carry_out


def outcome(text: str, script: Sequence[str], *options: str) -> tuple[int, list[Plan]]:
    Path("scenarios/race.yaml").write_text(SCENARIO + text)
    parser = Parser()
    run.options(parser)
    arguments = parser.parse_args(["scenarios/race.yaml", "--junit", "results.xml", *options])
    ran: list[Plan] = []
    plans = run.selection.selected(arguments)
    return run.run_all(plans, partial(scripted, script, ran), arguments), ran


@pytest.mark.parametrize(
    ("repeat", "script", "code", "runs"),
    [
        ("3", [H, H, H], 0, 3),
        ("3", [H, U, H], 2, 3),
        ("4", [H, V, H, H], 1, 2),
        ("{times: 4, stop: never}", [H, V, U, H], 1, 4),
        ("3", [H, E, H], 3, 3),
        ("3", [H, R, H], 3, 3),
        ("{until: 40 %, times: 8}", [H, H, U, H, H, H, H, H], 2, 7),
    ],
)
@pytest.mark.usefixtures("project")
def test_each_is_run_once_and_the_worst_counts(repeat: str, script: list[str], code: int, runs: int) -> None:
    ended, ran = outcome(f"repeat: {repeat}\n", script)
    assert ended == code
    assert [plan.perturbation and plan.perturbation.number for plan in ran] == list(range(1, runs + 1))
    cases = ET.parse("results.xml").iter("testcase")
    assert [case.get("name") for case in cases] == [f"race#{number}" for number in range(1, runs + 1)]


@pytest.mark.usefixtures("project")
def test_the_rate_comes_last(capsys: pytest.CaptureFixture[str]) -> None:
    outcome("repeat: {times: 5, stop: never, seed: 7}\n", [H, V, U, E, H])
    assert capsys.readouterr().out.splitlines()[-6:] == [
        "== race, repeated",
        "1 of 3 VIOLATED: 0.84 % to 91 % at 95 %",
        "1 UNPROVEN, which are not in that rate",
        "1 could not be measured, which are not in that rate and were not done again",
        "5 of 5 repetitions, seed 7",
        "that of repetition 2: harness run scenarios/race.yaml --repeat 5 --seed 7 --only-repetition 2",
    ]


@pytest.mark.usefixtures("project")
def test_one_repetition_is_run_again_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    _, all_of_them = outcome("", [H] * 4, "--repeat", "4", "--seed", "9")
    capsys.readouterr()
    Path("runs").rename("earlier")
    ended, ran = outcome("", [H, H, V], "--repeat", "4", "--seed", "9", "--only-repetition", "3")
    assert ended == 1
    assert ran == [all_of_them[2]]
    assert "repeated" not in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_what_is_different_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    outcome("", [H], "--repeat", "1", "--seed", "7")
    assert "  Repetition 1 of seed 7: 1 CPU, snapd.service 500 ms late.\n" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_a_seed_without_repetitions_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    Path("scenarios/race.yaml").write_text(SCENARIO)
    assert main(["plan", "scenarios/race.yaml", "--seed", "3"]) == 64
    assert "is not repeated" in capsys.readouterr().err


def test_a_gate_runs_the_repetitions_of_its_scenarios(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "scenarios/race.yaml").write_text(SCENARIO + "repeat: 3\n")
    (project / "scenarios/bad.yaml").write_text(SCENARIO + "control: {violates: snapd-is-who-it-should-be}\n")
    file = Path("scenarios/g.gate.yaml")
    file.write_text("summary: a gate\nscenarios: [race.yaml]\ncontrols: [bad.yaml]\n")
    planned = plan_gate(file, load_catalogue(Path("images/catalogue.yaml")))
    ran: list[Plan] = []
    assert gate.run_gate(planned, partial(scripted, [H, V, H], ran), None) == 3
    assert [plan.title for plan in ran] == ["bad", "race#1", "race#2"]
    assert "scenarios/race.yaml#2" in capsys.readouterr().out
