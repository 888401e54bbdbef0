# SPDX-License-Identifier: GPL-3.0-only
"""A run that was measured is judged, and its page lies in its directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import running
from harness.lab_spec import LabOptions
from harness.results import RunResult
from tests.unit.builders import key_put_back


def carried_out(directory: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> RunResult:
    """What the runner makes of a plan whose record is there already."""
    guest = key_put_back()
    monkeypatch.setattr(running, "run_plan", lambda *_: guest.record(directory))
    options = LabOptions(catalogue=directory / "catalogue.yaml", runs=directory.parent)
    with running.lab_runner(options, told.append) as runner:
        return runner(guest.plan())


def test_the_page_lies_beside_the_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    result = carried_out(tmp_path, told, monkeypatch)
    assert result.verdict.outcome.value == "VIOLATED"
    assert "VIOLATED core-revert/paper" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert told == []


def test_a_page_that_cannot_be_written_is_told_and_the_verdict_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.html").mkdir()
    told: list[str] = []
    result = carried_out(tmp_path, told, monkeypatch)
    assert result.verdict.outcome.value == "VIOLATED"
    (line,) = told
    assert "the verdict stands" in line
    assert "report.html" in line
