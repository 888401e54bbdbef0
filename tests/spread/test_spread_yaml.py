# SPDX-License-Identifier: GPL-3.0-only
"""spread.yaml names every scenario once, and the real spread reads it the same way."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.host.process import CommandFailed, run
from harness.planning import scenario_files

ROOT = Path(__file__).resolve().parents[2]
TASKS = sorted((ROOT / "ci" / "spread").glob("*/task.yaml"))
NOT_TO_BE_HAD = "the real spread is not to be had: no spread program here, and go cannot get its module"

# spread/project.go, validName and varname.
TASK_NAME = re.compile(r"[a-z0-9]+(?:[-._][a-z0-9]+)*")
VARIANT = re.compile(r"SCENARIO/([a-zA-Z0-9_]+)")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def variants(task: Path) -> dict[str, str]:
    """The task's variants with the scenario of each."""
    found = {VARIANT.fullmatch(name): value for name, value in read(task)["environment"].items()}
    return {match[1]: value for match, value in found.items() if match is not None}


def jobs() -> set[str]:
    return {f"ci/spread/{task.parent.name}:{variant}" for task in TASKS for variant in variants(task)}


def test_every_scenario_has_one_variant() -> None:
    named = [scenario for task in TASKS for scenario in variants(task).values()]
    top = ROOT / "scenarios"
    files = [*scenario_files(top), *scenario_files(top / "replica" / "debate")]
    assert sorted(named) == sorted(str(path.relative_to(top)) for path in files)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.parent.name)
def test_a_task_is_one_that_spread_takes(task: Path) -> None:
    content = read(task)
    assert TASK_NAME.fullmatch(task.parent.name)
    assert content["summary"]
    assert set(content) <= {"summary", "details", "environment", "execute", "restore", "artifacts"}
    assert all(VARIANT.fullmatch(name) for name in content["environment"])
    assert content["artifacts"] == ["runs"]  # spread refuses `runs/`


def test_what_a_machine_makes_for_itself_is_not_sent(tmp_path: Path) -> None:
    for made in ("runs/1", ".venv/bin", ".spread/bin", ".git", "harness/__pycache__", "harness/host"):
        (tmp_path / made).mkdir(parents=True)
    # spread/runner.go, prepareContent: the names in the directory, as they are.
    exclude = [f"--exclude={pattern}" for pattern in read(ROOT / "spread.yaml")["exclude"]]
    names = sorted(entry.name for entry in tmp_path.iterdir())
    packed = run(["tar", "c", *exclude, *names], cwd=tmp_path, timeout=60).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as content:
        assert content.getnames() == ["harness", "harness/host"]


def test_nothing_of_the_project_is_called_runs() -> None:
    """tar leaves out what a pattern names at any depth."""
    tops = ("ci", "docs", "harness", "images", "scenarios")
    assert [path for top in tops for path in (ROOT / top).rglob("runs")] == []


def test_both_backends_are_adhoc() -> None:
    backends = read(ROOT / "spread.yaml")["backends"]
    assert set(backends) == {"this-machine", "remote-host"}
    assert all(backend["type"] == "adhoc" and backend["allocate"] for backend in backends.values())


def test_the_real_spread_lists_every_scenario() -> None:
    try:
        spread = run([ROOT / "ci" / "spread" / "install"], timeout=600).stdout.decode().strip()
    except CommandFailed as error:
        if error.returncode != 3:
            raise
        pytest.skip(NOT_TO_BE_HAD)
    listed = run([spread, "-list"], cwd=ROOT, timeout=60).stdout.decode().split()
    assert set(listed) == {f"this-machine:this-machine:{job}" for job in jobs()}
