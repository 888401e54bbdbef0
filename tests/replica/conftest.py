# SPDX-License-Identifier: GPL-3.0-only
"""The replicas' programs as modules, and the tables that they read."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.replica.designs import release_of

PROGRAMS = Path(__file__).resolve().parents[2] / "images" / "replica" / "programs"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """A module of the programs; all are forgotten afterwards."""
    names = {path.stem for path in PROGRAMS.glob("*.py")}
    monkeypatch.syspath_prepend(str(PROGRAMS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module
    for name in names & sys.modules.keys():
        del sys.modules[name]


@pytest.fixture
def table(program: Callable[[str], ModuleType], tmp_path: Path) -> Callable[..., Any]:
    """The table of a release as the programs read it."""

    def read(release: str, design: str = "") -> Any:
        file = tmp_path / "release.json"
        file.write_text(json.dumps(release_of(release, design).as_data()))
        return program("era").read(str(file))

    return read
