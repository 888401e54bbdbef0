# SPDX-License-Identifier: GPL-3.0-only
"""`harness gate` on a runner that starts nothing: order, exit codes, the table, JUnit."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path

import pytest

from harness.cli import gate
from harness.cli.program import main
from harness.planning_gate import plan_gate
from harness.scenario.catalogue import load_catalogue
from tests.plugin.conftest import CATALOGUE, SCENARIO
from tests.plugin.fake_runner import fake_runner

CONTROL = SCENARIO + "control: {violates: snapd-is-who-it-should-be}\n"
CANNOT_SEE = "the harness cannot see"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("images", "scenarios"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "catalogue.yaml").write_text(CATALOGUE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(project: Path, controls: list[str], scenarios: list[str]) -> Path:
    """A gate of scenarios that come out as their names say."""
    for names, text in ((controls, CONTROL), (scenarios, SCENARIO)):
        for name in names:
            (project / "scenarios" / f"{name}.yaml").write_text(text)
    lists = {"scenarios": scenarios, "controls": controls}
    lines = [f"{key}: [{', '.join(f'{name}.yaml' for name in names)}]" for key, names in lists.items()]
    file = Path("scenarios/g.gate.yaml")
    file.write_text("\n".join(["summary: a gate", *lines]))
    return file


def run_gate(project: Path, controls: list[str], scenarios: list[str]) -> int:
    file = write(project, controls, scenarios)
    planned = plan_gate(file, load_catalogue(project / "images" / "catalogue.yaml"))
    return gate.run_gate(planned, partial(fake_runner, Path("runs")), project / "results.xml")


@pytest.mark.parametrize(
    ("controls", "scenarios", "code"),
    [
        (["control"], ["held"], 0),
        (["control"], ["held", "violated"], 1),
        (["control"], ["held", "unproven"], 2),
        (["control"], ["violated", "broken"], 3),
        (["control"], ["unbuildable"], 3),
        (["control"], ["unnamed", "broken"], 64),
        (["blind", "control"], ["held"], 3),
        (["blind"], ["unnamed"], 3),
        (["broken", "control"], ["violated"], 3),
        (["unbuildable", "control"], ["held"], 3),
        (["unnamed", "control"], ["held"], 64),
    ],
)
def test_exit_codes(project: Path, controls: list[str], scenarios: list[str], code: int) -> None:
    assert run_gate(project, controls, scenarios) == code


def test_controls_come_first_and_all_is_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_gate(project, ["blind", "unbuildable", "control"], ["broken", "held"])
    running = [line for line in capsys.readouterr().err.splitlines() if line.startswith("running ")]
    assert running == [f"running {name}" for name in ("blind", "unbuildable", "control", "broken", "held")]


def test_a_blind_control_is_told_at_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_gate(project, ["blind"], ["held"])
    told = capsys.readouterr().err.splitlines()
    at = told.index(f"harness: {CANNOT_SEE}: blind came out HELD: no finding is VIOLATED")
    assert at < told.index("running held")


def test_the_table_comes_last(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_gate(project, ["control", "blind"], ["held", "violated", "unbuildable"])
    table = capsys.readouterr().out.partition("gate scenarios/g.gate.yaml\n\n")[2].splitlines()
    assert [line.split() for line in table[1:6]] == [
        ["VIOLATED", "VIOLATED", "yes", "scenarios/control.yaml", "runs/control"],
        ["VIOLATED", "HELD", "NO", "scenarios/blind.yaml", "runs/blind"],
        ["HELD", "HELD", "yes", "scenarios/held.yaml", "runs/held"],
        ["HELD", "VIOLATED", "NO", "scenarios/violated.yaml", "runs/violated"],
        ["HELD", "ERROR", "NO", "scenarios/unbuildable.yaml", "none"],
    ]
    assert table[-1] == (
        f"ERROR  {CANNOT_SEE}: 1 of 2 controls did not come out VIOLATED as they say they must,"
        " so the rest proves nothing"
    )


@pytest.mark.parametrize(
    ("scenario", "line"),
    [
        ("held", "HELD  all 2 came out as they must"),
        ("violated", "VIOLATED  1 of 2 did not come out as they must"),
    ],
)
def test_the_last_line_says_what_the_gate_came_to(
    project: Path, scenario: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_gate(project, ["control"], [scenario])
    assert capsys.readouterr().out.splitlines()[-1] == line


def test_junit_tells_a_blind_control_from_a_violation(project: Path) -> None:
    run_gate(project, ["control", "blind"], ["held", "violated"])
    cases = {case.get("name"): case for case in ET.parse(project / "results.xml").iter("testcase")}
    kinds = {name: [child.tag for child in case if child.tag != "properties"] for name, case in cases.items()}
    assert kinds == {"control": [], "blind": ["error"], "held": [], "violated": ["failure"]}
    error = next(cases["blind"].iter("error"))
    assert (error.get("type"), error.get("message")) == ("ERROR", CANNOT_SEE)
    assert "no finding is VIOLATED" in (error.text or "")


def test_a_gate_is_planned_without_running(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(project, ["control"], ["held"])
    assert main(["plan", str(file)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split() for line in shown[-2:]] == [
        ["VIOLATED", "scenarios/control.yaml"],
        ["HELD", "scenarios/held.yaml"],
    ]
    assert main(["plan", str(file), "scenarios/held.yaml"]) == 64


def test_a_reason_is_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(project, ["control"], ["held"])
    held = project / "scenarios" / "held.yaml"
    held.write_text(held.read_text() + "  - console-clean\n")
    file.write_text(file.read_text() + "\nunproven: {console-clean: nobody knows how}\n")
    assert main(["plan", str(file)]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "no control of this gate violates",
        "  console-clean: nobody knows how",
    ]


def test_a_mistake_anywhere_starts_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(project, ["control"], ["held"])
    (project / "scenarios" / "held.yaml").write_text(SCENARIO.replace("guest", "gust"))
    assert main(["gate", str(file), "--runs", "runs"]) == 64
    assert capsys.readouterr().err.startswith("scenarios/held.yaml:2:8: ")
    assert not (project / "runs").exists()


@pytest.mark.parametrize("verb", ["run", "build"])
def test_a_gate_is_not_taken_for_a_scenario(
    project: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(project, ["control"], ["held"])
    assert main([verb, str(file), *(["--cache", "cache"] if verb == "build" else [])]) != 0
    told = capsys.readouterr().err
    assert ("harness gate scenarios/g.gate.yaml" in told) == (verb == "run")
    assert "unknown key" not in told
