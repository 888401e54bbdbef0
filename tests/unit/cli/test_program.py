# SPDX-License-Identifier: GPL-3.0-only
"""Whatever happens, the program ends with a documented exit code and words, never with a traceback."""

from __future__ import annotations

import argparse
import sys
import types
from pathlib import Path

import pytest

from harness.cli import program
from harness.errors import CannotMeasure, HarnessError, Mistake, Mistakes
from harness.host.signals import Interrupted
from harness.model.spans import Problem, Span


class Verb(types.ModuleType):
    """A verb that raises, or returns a code."""

    def __init__(self, outcome: BaseException | int) -> None:
        super().__init__("harness.cli.run")
        self.outcome = outcome

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--flag", action="store_true")

    def carry_out(self, _arguments: argparse.Namespace) -> int:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.fixture
def run_that(monkeypatch: pytest.MonkeyPatch) -> object:
    def stand_in(outcome: BaseException | int, *arguments: str) -> int:
        monkeypatch.setitem(sys.modules, "harness.cli.run", Verb(outcome))
        return program.main(["run", *arguments])

    return stand_in


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (0, 0),
        (2, 2),
        (HarnessError("cannot"), 3),
        (CannotMeasure("cannot"), 3),
        (Mistake("cannot"), 64),
        (RuntimeError("boom"), 3),
        (KeyboardInterrupt(), 130),
        (Interrupted(15), 143),
    ],
)
def test_exit_codes(run_that, outcome: BaseException | int, code: int) -> None:
    assert run_that(outcome) == code


def test_mistakes_start_with_their_place(run_that, capsys: pytest.CaptureFixture[str]) -> None:
    run_that(
        Mistakes([Problem(Span("a.yaml", 3, 7), "no such core '2.57.9'", hint="did you mean '2.57.6'?")])
    )
    assert capsys.readouterr().err == "a.yaml:3:7: no such core '2.57.9'; did you mean '2.57.6'?\n"


def test_an_error_is_told_with_its_hint(run_that, capsys: pytest.CaptureFixture[str]) -> None:
    run_that(CannotMeasure("cannot boot: it panicked", hint="look at console.log"))
    assert capsys.readouterr().err == "harness: cannot boot: it panicked\n  look at console.log\n"


def test_a_defect_is_put_in_a_file(
    run_that, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run_that(RuntimeError("boom"))
    told = capsys.readouterr().err
    assert "a defect of the harness: RuntimeError: boom" in told
    assert "Traceback" not in told
    (written,) = tmp_path.iterdir()
    assert str(written) in told
    assert "Traceback" in written.read_text()


def test_a_defect_is_printed_for_developers(
    run_that, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_DEBUG", "1")
    run_that(RuntimeError("boom"))
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["run", "--nonsense"], ["plan"]])
def test_a_wrong_command_line_is_a_mistake(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(arguments) == 64
    assert capsys.readouterr().err.startswith("harness: cannot understand")


@pytest.mark.parametrize("verb", program.VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main([verb, "--help"])
    assert ended.value.code == 0
    assert "exit codes" in capsys.readouterr().out


def test_without_a_verb_the_verbs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.main([])
    assert all(verb in capsys.readouterr().out for verb in ["run"])
