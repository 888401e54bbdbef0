# SPDX-License-Identifier: GPL-3.0-only
"""What a user of the pytest plugin sees, by running pytest."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from tests.plugin.conftest import SCENARIO, Run

Project = Callable[..., None]

MATRIX = SCENARIO.replace('"2.68.3"', '"${to}"').replace(
    "steps:", 'vary:\n  to: ["2.68.3", "2.77.1"]\nsteps:'
)


def test_each_variant_is_an_item(project: Project, run_pytest: Run) -> None:
    project("held", text=MATRIX)
    result = run_pytest("--collect-only", "-q")
    result.stdout.fnmatch_lines(
        ["scenarios/held.yaml::held[[]to=2.68.3[]]", "scenarios/held.yaml::held[[]to=2.77.1[]]"]
    )


def test_each_repetition_is_an_item(project: Project, run_pytest: Run) -> None:
    project("held", text=SCENARIO + "repeat: 3\n")
    result = run_pytest("--collect-only", "-q")
    assert [line for line in result.outlines if "::" in line] == [
        f"scenarios/held.yaml::held#{number}" for number in (1, 2, 3)
    ]


def test_only_scenarios_below_scenarios_are_collected(
    project: Project, run_pytest: Run, pytester: pytest.Pytester
) -> None:
    project("held", "core-revert/held")
    pytester.path.joinpath("scenarios", "README.md").write_text("# The language\n")
    pytester.path.joinpath("scenarios", "g.gate.yaml").write_text("summary: a gate\n")
    pytester.path.joinpath("scenarios", "m.matrix.yaml").write_text("summary: a matrix\n")
    result = run_pytest("--collect-only", "-q")
    assert [line for line in result.outlines if "::" in line] == [
        "scenarios/core-revert/held.yaml::core-revert/held",
        "scenarios/held.yaml::held",
    ]


def test_one_scenario_can_be_named(project: Project, run_pytest: Run) -> None:
    project("held", "violated")
    run_pytest("scenarios/held.yaml").assert_outcomes(passed=1)


def test_collecting_imports_no_machinery(
    project: Project, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project("held")
    monkeypatch.setenv("PYTHONPATH", str(Path(harness.__file__).parents[1]))
    code = (
        "import sys, pytest; status = pytest.main(['-q', '--collect-only', '-p', 'no:revert_safety', '-p', "
        "'harness.pytest_plugin', '-p', 'no:testinfra', 'scenarios']); "
        "print('heavy:', sorted({'paramiko', 'qemu', 'harness.engine', 'harness.lab'} & set(sys.modules)))"
    )
    result = pytester.run(sys.executable, "-c", code)
    result.stdout.fnmatch_lines(["*held.yaml::held", "heavy: [[][]]"])


def test_five_ways_to_come_out(project: Project, run_pytest: Run) -> None:
    project("held", "violated", "unproven", "unbuildable", "unnamed", "control", "blind", "broken")
    result = run_pytest("-q")
    result.assert_outcomes(passed=2, failed=3, errors=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_violation_says_what_where_and_in_which_run(project: Project, run_pytest: Run) -> None:
    project("violated")
    run_pytest().stdout.fnmatch_lines(
        [
            "VIOLATED: snapd is 2.57.6, expected 2.68.3",
            "  *scenarios/violated.yaml:9:5: snapd-is-who-it-should-be: VIOLATED: boot 2: snapd is 2.57.6*",
            "      witness.jsonl:12: /proc/PID/exe",
            "run directory: runs/violated",
            "*Captured stderr setup*",
            "running violated",
            "FAILED scenarios/violated.yaml::violated - VIOLATED: *",
        ]
    )


def test_nothing_proven_says_so(project: Project, run_pytest: Run) -> None:
    project("unproven")
    run_pytest().stdout.fnmatch_lines(["UNPROVEN: nothing was proven", "run directory: runs/unproven"])


def test_a_run_that_broke_off_names_its_step(project: Project, run_pytest: Run) -> None:
    project("broken")
    run_pytest().stdout.fnmatch_lines(
        [
            "ERROR: step 3: the guest panicked",
            "  *scenarios/broken.yaml:6:5: in step 8, *",
            "run directory: runs/broken",
        ]
    )


def test_what_cannot_be_built_is_an_error_with_its_hint(project: Project, run_pytest: Run) -> None:
    project("unbuildable")
    result = run_pytest()
    result.stdout.fnmatch_lines(["ERROR: cannot build the image: no mirror", "  give one: --mirror URL"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_control_that_held_is_a_failure(project: Project, run_pytest: Run) -> None:
    project("blind")
    run_pytest().stdout.fnmatch_lines(
        ["CONTROL FAILED: the harness cannot see: the control came out HELD: no finding is VIOLATED"]
    )


def test_a_mistake_is_a_collection_error_with_its_place(project: Project, run_pytest: Run) -> None:
    project("held", text=SCENARIO.replace("2.68.3", "2.68.4"))
    result = run_pytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*scenarios/held.yaml:6:*2.68.4*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_without_a_catalogue_the_option_is_named(
    project: Project, run_pytest: Run, pytester: pytest.Pytester
) -> None:
    project("held")
    pytester.path.joinpath("images", "catalogue.yaml").rename(pytester.path / "elsewhere.yaml")
    run_pytest().stdout.fnmatch_lines(
        ["cannot find images/catalogue.yaml*", "*give one with --*catalogue FILE"]
    )
    run_pytest("--harness-catalogue", "elsewhere.yaml").assert_outcomes(passed=1)


def test_the_runner_is_opened_once_and_closed(
    project: Project, run_pytest: Run, pytester: pytest.Pytester
) -> None:
    project("held", "violated", "unproven")
    result = run_pytest("-s")
    assert str(result.stderr).count("runner opened") == 1
    assert pytester.path.joinpath("runs", "closed").exists()


def test_no_runner_is_opened_without_an_item(
    project: Project, run_pytest: Run, pytester: pytest.Pytester
) -> None:
    project()
    pytester.makepyfile("def test_plain(): pass")
    run_pytest().assert_outcomes(passed=1)
    assert not pytester.path.joinpath("runs", "closed").exists()


NAMES = {
    "held": ("held", "0", None),
    "violated": ("violated", "1", "failure"),
    "unproven": ("unproven", "2", "failure"),
    "broken": ("error", "3", "error"),
    "unbuildable": ("error", "3", "error"),
    "unnamed": ("mistake", "64", "error"),
    "control": ("violated", "1", None),
    "blind": ("held", "0", "failure"),
}


@pytest.mark.parametrize("name", NAMES)
def test_junit_tells_them_apart(
    name: str, project: Project, run_pytest: Run, pytester: pytest.Pytester
) -> None:
    project(name)
    run_pytest("--junit-xml=results.xml", "-o", "junit_family=xunit2")
    (case,) = ET.parse(pytester.path / "results.xml").iter("testcase")
    told = {each.get("name"): each.get("value") for each in case.iter("property")}
    outcome, code, element = NAMES[name]
    assert (told["outcome"], told["exit_code"]) == (outcome, code)
    assert {child.tag for child in case} & {"failure", "error"} == ({element} if element else set())
    if name not in ("unbuildable", "unnamed"):
        assert told["run_directory"] == f"runs/{name}"
    if element:
        heading = {
            "violated": "VIOLATED",
            "unproven": "UNPROVEN",
            "unnamed": "MISTAKE",
            "blind": "CONTROL FAILED",
        }
        found = next(case.iter(element)).get("message")
        assert found is not None
        assert heading.get(name, "ERROR") in found


def test_a_python_test_gets_a_lab(project: Project, run_pytest: Run, pytester: pytest.Pytester) -> None:
    project("held")
    pytester.makepyfile(
        """
        def test_it(lab):
            assert lab.plan("scenarios/held.yaml").scenario == "held"
            assert callable(lab.machine)
        """
    )
    run_pytest("test_a_python_test_gets_a_lab.py").assert_outcomes(passed=1)
