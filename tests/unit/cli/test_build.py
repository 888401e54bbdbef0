# SPDX-License-Identifier: GPL-3.0-only
"""`harness build`: what is made for each name, before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.build import makers
from harness.cli.program import main
from harness.scenario.catalogue import load_catalogue

CATALOGUE = """\
images:
  guest: {recipe: recipes/guest.yaml}
cores:
  "2.57.6": {suite: bookworm, version: 2.57.6-1}
snaps:
  bluez:
    variants: {default: snaps/bluez.yaml, bullseye: snaps/bluez-bullseye.yaml}
    services: [bluez]
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.yaml"
    path.write_text(CATALOGUE)
    return path


def test_a_snap_is_built_in_all_its_variants(catalogue: Path) -> None:
    made = {name: len(makes) for name, makes in makers(load_catalogue(catalogue)).items()}
    assert made == {"guest": 1, "2.57.6": 1, "bluez": 2}


def test_an_unknown_name_is_a_mistake(catalogue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "2.57.5", "--catalogue", str(catalogue)]) == 64
    assert "did you mean '2.57.6'?" in capsys.readouterr().err


def test_what_cannot_be_built_is_said_and_the_rest_is_tried(
    catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "guest.yaml").write_text("nonsense: true\n")
    arguments = ["build", "guest", "bluez", "--catalogue", str(catalogue), "--cache", str(tmp_path / "cache")]
    assert main(arguments) == 64
    told = capsys.readouterr().err
    assert "guest.yaml:1:1" in told
    assert "bluez.yaml" in told


def test_a_scenario_stands_for_what_it_needs(
    catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "snaps").mkdir()
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "guest.yaml").write_text("nonsense: true\n")
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(
        'summary: s\nimage: guest\nstart: {core: "2.57.6"}\nhold: [console-clean]\nsteps: [{reboot: clean}]\n'
    )
    where = ["--catalogue", str(catalogue), "--cache", str(tmp_path / "cache")]
    assert main(["build", str(scenario), *where]) == 64
    assert "guest.yaml:1:1" in capsys.readouterr().err
    scenario.write_text("summary: s\nimage: ghost\n")
    assert main(["build", str(scenario), *where]) == 64
    assert "scenario.yaml:2:8" in capsys.readouterr().err
