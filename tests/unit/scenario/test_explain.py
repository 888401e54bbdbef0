# SPDX-License-Identifier: GPL-3.0-only
"""Plans as people read them, against the files in tests/golden.

To write those again after a change that is meant: UPDATE_GOLDEN=1 pytest tests/unit/scenario/test_explain.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.model.catalogue import Catalogue
from harness.scenario.compile import load_plans
from harness.scenario.explain import explain

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests/golden"
FILES = [
    "scenarios/core-revert/2.57.6-2.68.3-2.57.6.yaml",
    "scenarios/core-revert/2.49-2.57.6-2.49.yaml",
    "scenarios/control/2.57.6-2.68.3-2.57.6-key-put-back.yaml",
    "scenarios/core-revert/held-2.57.6-2.68.3-2.57.6.yaml",
    "scenarios/core-revert/cut-2.57.6-2.68.3-2.57.6.yaml",
    "scenarios/faults/sweep-revert-2.57.6-2.68.3-2.57.6.yaml",
    "tests/golden/everything.yaml",
]


@pytest.mark.parametrize("file", FILES)
def test_golden(file: str, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown = "\n".join(map(explain, load_plans(Path(file), catalogue)))
    golden = GOLDEN / f"{Path(file).stem}.plan.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(shown)
    assert shown == golden.read_text()
