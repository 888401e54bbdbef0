# SPDX-License-Identifier: GPL-3.0-only
"""The runs of a matrix: row by row, some at once, each a program whose verdict is read from what it left."""

from __future__ import annotations

import sys
import threading
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import CannotMeasure, HarnessError, Mistake
from harness.model import codec
from harness.model.plan import Plan
from harness.model.verdict import VERDICT_FORMAT, Outcome, Verdict
from harness.results import RunResult
from harness.running_matrix import Ended, RunsOf, carry_out_rows
from tests.unit.builders import begun, key_put_back

VERDICT = Verdict(VERDICT_FORMAT, "s", Outcome.HELD, ())
WITHIN = 30.0


def plan(row: str, file: str) -> Plan:
    return replace(begun().plan(), scenario=file, file=f"{file}.yaml", variant={"how": row})


ROWS = [[plan(row, file) for file in ("a", "b", "c")] for row in ("one", "two")]


def test_a_row_s_plans_come_one_after_the_other() -> None:
    running: set[str] = set()
    told: list[str] = []

    def runner(one: Plan, _ends: threading.Event) -> RunResult:
        assert one.variant["how"] not in running
        running.add(one.variant["how"])
        told.append(one.title)
        running.remove(one.variant["how"])
        return RunResult(one, Path(), VERDICT)

    done = list(carry_out_rows(ROWS, runner, 2))
    assert sorted(one.title for one, _ in done) == sorted(one.title for row in ROWS for one in row)
    for row in ROWS:
        titles = [one.title for one in row]
        assert [title for title in told if title in titles] == titles


def test_as_many_go_on_at_once_as_are_asked_for() -> None:
    together = threading.Barrier(2)

    def runner(one: Plan, _ends: threading.Event) -> RunResult:
        together.wait(WITHIN)
        return RunResult(one, Path(), VERDICT)

    assert len(list(carry_out_rows(ROWS, runner, 2))) == 6


def test_what_cannot_be_measured_does_not_keep_the_next_from_its_turn() -> None:
    def runner(one: Plan, _ends: threading.Event) -> RunResult:
        if one.scenario == "b":
            raise CannotMeasure("no mirror")
        return RunResult(one, Path(), VERDICT)

    results = [result for _, result in carry_out_rows(ROWS, runner, 1)]
    assert [isinstance(result, HarnessError) for result in results] == [False, True, False] * 2


def test_a_defect_ends_all() -> None:
    def runner(one: Plan, _ends: threading.Event) -> RunResult:
        raise RuntimeError(one.title)

    with pytest.raises(RuntimeError, match="a"):
        list(carry_out_rows(ROWS, runner, 1))


def test_closing_ends_what_goes_on() -> None:
    began, ended = threading.Event(), threading.Event()

    def runner(one: Plan, ends: threading.Event) -> RunResult:
        if one.scenario == "a":
            return RunResult(one, Path(), VERDICT)
        began.set()
        assert ends.wait(WITHIN)
        ended.set()
        raise Ended

    with closing(carry_out_rows(ROWS[:1], runner, 1)) as done:
        next(done)
        assert began.wait(WITHIN)
    assert ended.is_set()
    with suppress(StopIteration):
        assert not next(done)


# -- runs that are processes


def program(tmp_path: Path, *lines: str) -> list[str]:
    """A stand-in for `harness`, which knows where its runs are to go."""
    script = tmp_path / "harness.py"
    head = [
        "import pathlib, shutil, sys, time",
        "runs = pathlib.Path(sys.argv[sys.argv.index('--runs') + 1])",
    ]
    script.write_text("\n".join([*head, *lines]) + "\n")
    return [sys.executable, str(script)]


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Plan, Path]:
    """A run that came to its end, as a `harness run` would leave it, and its plan."""
    guest = key_put_back()
    (tmp_path / "recorded").mkdir()
    directory = guest.record(tmp_path / "recorded")
    (directory / "verdict.json").write_text(codec.dumps(VERDICT))
    return guest.plan(), directory


def test_a_run_leaves_its_verdict_in_a_directory_of_its_own(
    tmp_path: Path, recorded: tuple[Plan, Path]
) -> None:
    one, directory = recorded
    run = program(
        tmp_path, f"shutil.copytree({str(directory)!r}, runs / 'now')", "print(sys.argv)", "sys.exit(1)"
    )
    runs = RunsOf(tmp_path / "m", ("--accelerator", "tcg"), run)
    result = runs.carry_out(one, threading.Event())
    assert (result.verdict, result.directory) == (VERDICT, runs.place(one) / "now")
    said = (runs.place(one) / "output.txt").read_text()
    assert "'run', 'scenario.yaml', '--runs'" in said
    assert "'--accelerator', 'tcg'" in said


def test_a_variant_is_one_of_the_run_s_words(tmp_path: Path) -> None:
    runs = RunsOf(tmp_path / "m", (), program(tmp_path, "print(sys.argv)"))
    with pytest.raises(CannotMeasure):
        runs.carry_out(plan("one", "a"), threading.Event())
    assert "'--set-variant', 'how=one'" in (tmp_path / "m/matrix-runs/one-a/output.txt").read_text()


@pytest.mark.parametrize(("status", "kind"), [(3, CannotMeasure), (0, CannotMeasure), (64, Mistake)])
def test_a_run_without_a_verdict_says_what_it_said(
    tmp_path: Path, status: int, kind: type[HarnessError]
) -> None:
    runs = RunsOf(tmp_path / "m", (), program(tmp_path, "print('no mirror')", f"sys.exit({status})"))
    with pytest.raises(kind) as caught:
        runs.carry_out(plan("one", "a"), threading.Event())
    assert f"ended with status {status}" in caught.value.message
    assert "no mirror" in caught.value.hint


def test_a_run_of_before_is_not_taken_for_this_one(tmp_path: Path, recorded: tuple[Plan, Path]) -> None:
    one, directory = recorded
    runs = RunsOf(tmp_path / "m", (), program(tmp_path, "sys.exit(3)"))
    runs.place(one).mkdir(parents=True)
    directory.rename(runs.place(one) / "before")
    with pytest.raises(CannotMeasure):
        runs.carry_out(one, threading.Event())


def test_a_run_that_goes_on_is_ended(tmp_path: Path) -> None:
    runs = RunsOf(tmp_path / "m", (), program(tmp_path, "time.sleep(1000)"))
    ends = threading.Event()
    ends.set()
    with pytest.raises(Ended):
        runs.carry_out(plan("one", "a"), ends)


def test_what_came_to_its_end_before_is_judged_again(tmp_path: Path, recorded: tuple[Plan, Path]) -> None:
    one, directory = recorded
    runs = RunsOf(tmp_path / "m", ())
    assert runs.finished(one) is None
    runs.place(one).mkdir(parents=True)
    directory.rename(runs.place(one) / "before")
    found = runs.finished(one)
    assert found is not None
    assert found.verdict.outcome is Outcome.VIOLATED
    assert runs.finished(replace(one, image="another")) is None


def test_what_was_cut_short_or_failed_is_run_again(tmp_path: Path) -> None:
    guest = key_put_back().fail("the guest panicked")
    runs = RunsOf(tmp_path / "m", ())
    directory = runs.place(guest.plan()) / "before"
    directory.mkdir(parents=True)
    guest.record(directory)
    assert runs.finished(guest.plan()) is None
    events = directory / "events.jsonl"
    events.write_text("\n".join(events.read_text().splitlines()[:-1]) + "\n")
    assert runs.finished(guest.plan()) is None
    (directory / "plan.json").write_text("{}")
    assert runs.finished(guest.plan()) is None
