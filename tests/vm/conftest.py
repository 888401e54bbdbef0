# SPDX-License-Identifier: GPL-3.0-only
"""Real guests: the image of the catalogue's main scenario, built on first use like everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.lab import Lab
from harness.lab_spec import LabOptions
from harness.model.plan import PLAN_FORMAT, Action, Plan, PlannedInvariant, PlannedStep
from harness.model.scenario import Timeouts
from harness.model.spans import Span
from harness.pytest_plugin.runners import is_beside_others

ROOT = Path(__file__).parents[2]
IMAGE = "trixie-snapd-2.57.6"

MakeLab = Callable[..., Lab]


@pytest.fixture
def make_lab(tmp_path: Path, pytestconfig: pytest.Config) -> MakeLab:
    """A lab whose runs lie in the test's directory; keyword arguments are LabOptions' own."""
    return lambda **options: lab_in(tmp_path, pytestconfig, **options)


def lab_in(directory: Path, config: pytest.Config, **options: str) -> Lab:
    """A lab of the project's catalogue, its runs in `directory`; keyword arguments are LabOptions' own."""
    return Lab(options_in(directory / "runs", config, **options), lambda line: print(line, file=sys.stderr))


def options_in(runs: Path, config: pytest.Config, **options: str) -> LabOptions:
    """The options of a lab of the project's catalogue."""
    beside_others = is_beside_others(config)
    return LabOptions(
        catalogue=ROOT / "images/catalogue.yaml", runs=runs, one_thread=beside_others, **options
    )


def plan_of(*actions: tuple[Action, float]) -> Plan:
    """A plan of bare actions with their nominal seconds, on an image without any snap."""
    steps = tuple(
        PlannedStep(str(number), type(action).__name__, action, seconds)
        for number, (action, seconds) in enumerate(actions, 1)
    )
    nowhere = Span("tests/vm", 1, 1)
    held = (PlannedInvariant("console-clean", {"allow": ()}, nowhere),)
    return Plan(
        format=PLAN_FORMAT,
        scenario="bad-luck",
        file="tests/vm",
        summary="a guest without snaps",
        report="",
        variant={},
        image=IMAGE,
        snaps=(),
        services=(),
        steps=steps,
        invariants=held,
        timeouts=Timeouts(),
    )


def qemus_of(run: Path) -> list[int]:
    """The processes whose command line names the run directory."""
    wanted = str(run).encode()
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if wanted in _read(path) and b"qemu" in _read(path)
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
