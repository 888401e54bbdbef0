# SPDX-License-Identifier: GPL-3.0-only
"""The README shows what is there."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from harness.cli.program import VERBS

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()


def test_the_scenario_shown_is_the_one_that_is_run() -> None:
    name = re.search(r"ci/run (scenarios/\S+\.yaml)", README)
    shown = re.search(r"This is `(\S+)`.*?```yaml\n(.*?)```", README, re.DOTALL)
    assert name is not None
    assert shown is not None
    assert name[1] == shown[1]
    assert yaml.safe_load(shown[2]) == yaml.safe_load((ROOT / name[1]).read_text())


def test_every_verb_is_named() -> None:
    assert [verb for verb in VERBS if f"harness {verb}" not in README] == []


def test_every_path_it_names_is_there() -> None:
    named = re.findall(r"[`(\s]((?:scenarios|docs|images|ci|harness)/[\w./-]*\w)", README)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
