# SPDX-License-Identifier: GPL-3.0-only
"""`harness run` on a runner that starts nothing: exit codes, order of output, JUnit, gates."""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path

import pytest

from harness.cli import judge, report, run
from harness.cli.program import main
from harness.planning import plan_all
from tests.plugin.conftest import CATALOGUE, SCENARIO
from tests.plugin.fake_runner import fake_runner


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "catalogue.yaml").write_text(CATALOGUE)
    (tmp_path / "scenarios").mkdir()
    return tmp_path


def outcome(project: Path, *names: str, gate: bool = False) -> int:
    files = [project / "scenarios" / f"{name}.yaml" for name in names]
    for file in files:
        file.write_text(SCENARIO)
    arguments = argparse.Namespace(junit=project / "results.xml", gate=gate)
    return run.run_all(plan_all(files), partial(fake_runner, project / "runs"), arguments)


@pytest.mark.parametrize(
    ("name", "code", "gated"),
    [
        ("held", 0, 0),
        ("violated", 1, 1),
        ("unproven", 2, 2),
        ("broken", 3, 3),
        ("unbuildable", 3, 3),
        ("unnamed", 64, 64),
        ("control", 1, 0),
        ("blind", 0, 1),
    ],
)
def test_exit_codes(project: Path, name: str, code: int, gated: int) -> None:
    assert outcome(project, name) == code
    (project / "runs" / name).rename(project / "moved") if (project / "runs" / name).exists() else None
    assert outcome(project, name, gate=True) == gated


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["held", "unproven"], 2),
        (["unproven", "violated", "held"], 1),
        (["broken", "violated"], 3),
        (["unnamed", "broken", "violated"], 64),
    ],
)
def test_the_worst_of_several_counts_and_all_are_run(project: Path, names: list[str], code: int) -> None:
    assert outcome(project, *names) == code
    cases = ET.parse(project / "results.xml").iter("testcase")
    assert [case.get("name") for case in cases] == names


def test_the_run_directory_comes_last(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome(project, "violated")
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == str(project / "runs" / "violated")
    assert "VIOLATED" in shown.out
    assert "running violated" in shown.err


@pytest.mark.parametrize(
    ("name", "words"), [("control", "came out as it must"), ("blind", "did NOT come out")]
)
def test_a_control_is_told_apart(
    project: Path, name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome(project, name)
    assert words in capsys.readouterr().out


def test_a_defect_still_closes_the_runner(project: Path) -> None:
    with pytest.raises(RuntimeError, match="boom"):
        outcome(project, "defect")
    assert not (project / "results.xml").exists()


def test_a_mistake_anywhere_starts_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "scenarios" / "a.yaml").write_text(SCENARIO)
    (project / "scenarios" / "b.yaml").write_text(SCENARIO.replace("image: guest", "image: gust"))
    assert main(["run", str(project / "scenarios"), "--runs", str(project / "runs")]) == 64
    assert "b.yaml:2:8: " in capsys.readouterr().err
    assert not (project / "runs").exists()


def test_one_point_of_a_matrix_can_be_chosen(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SCENARIO.replace('"2.68.3"', '"${to}"').replace(
        "steps:", 'vary:\n  to: ["2.68.3", "2.77.1"]\nsteps:'
    )
    (project / "scenarios" / "a.yaml").write_text(text)
    assert main(["plan", str(project / "scenarios"), "--set-variant", "to=2.77.1"]) == 0
    assert "2.68.3" not in capsys.readouterr().out
    assert main(["plan", str(project / "scenarios"), "--set-variant", "to=9"]) == 64
    assert "it has: to=2.68.3; to=2.77.1" in capsys.readouterr().err


def test_judging_again_ends_with_the_outcome_and_reporting_with_0(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome(project, "held")
    arguments = argparse.Namespace(directory=project / "runs" / "held", html=None, json=None)
    # The record behind the fake's verdict has no look in it: nothing is proven.
    assert judge.carry_out(arguments) == 2
    assert report.carry_out(arguments) == 0
    assert "UNPROVEN" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["judge", "report"])
def test_what_is_no_run_directory_is_said(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, str(tmp_path)]) == 3
    assert capsys.readouterr().err.startswith("harness: cannot ")
