# SPDX-License-Identifier: GPL-3.0-only
"""`harness report`: the page for a terminal, for a browser and for programs, from the run directory alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.program import main
from tests.unit.builders import key_put_back


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return key_put_back().record(tmp_path / "run")


def test_the_text_comes_without_options(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "VIOLATED  core-revert/paper"
    assert lines[-1] == str(run)
    assert "report.html" not in lines[-2]


def test_judging_writes_the_page_and_reporting_says_where_it_is(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", str(run)]) == 1
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [str(run / "report.html"), str(run)]
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>\n<html lang")


def test_both_documents_go_into_files(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, document = tmp_path / "page.html", tmp_path / "run.json"
    assert main(["report", str(run), "--html", str(page), "--json", str(document)]) == 0
    assert capsys.readouterr().out == ""
    assert "VIOLATED core-revert/paper" in page.read_text(encoding="utf-8")
    assert json.loads(document.read_text())["outcome"] == "VIOLATED"


@pytest.mark.parametrize(("option", "begins"), [("--html", "<!DOCTYPE html>"), ("--json", "{")])
def test_a_dash_is_the_standard_output(
    run: Path, option: str, begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run), option, "-"]) == 0
    assert capsys.readouterr().out.startswith(begins)


def test_both_on_the_standard_output_is_a_mistake(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "--html", "-", "--json", "-"]) == 64
    assert "cannot write both" in capsys.readouterr().err


def test_what_cannot_be_written_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "--html", str(run / "no" / "page.html")]) == 3
    assert "cannot write" in capsys.readouterr().err
