# SPDX-License-Identifier: GPL-3.0-only
"""A sweep that ended early goes on: nothing that was done is done again, and nothing else counts."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.model import codec
from harness.model.sweep_summary import NOT_BOOTED, SUMMARY, StateRun, SweepSummary
from harness.results import Came, came_of_result
from harness.sweep import Recording, sweeping
from harness.sweep.place import SweepPlace
from tests.unit.paper_sweep import (
    DONE,
    KEPT,
    PLAN,
    PaperLab,
    budget,
    carry_out,
    directory_of,
    interrupt,
    left_in,
    resume,
    summary_of,
)


def outcomes(summary: SweepSummary | None) -> list[tuple[str, str, int, str]]:
    assert summary
    return [(str(run.cut), run.digest, run.states, run.outcome) for run in summary.runs]


def rewrite(lab: PaperLab, change: Callable[[tuple[StateRun, ...]], tuple[StateRun, ...]]) -> None:
    summary = summary_of(lab)
    text = codec.dumps(replace(summary, runs=change(summary.runs)))
    (directory_of(lab) / SUMMARY).write_text(text)


# -- going on


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_one_that_was_interrupted_boots_what_was_not_booted_and_comes_to_the_same(
    lab: PaperLab, again: PaperLab, tmp_path: Path, recording: Recording, at: int
) -> None:
    interrupt(lab, at)
    assert left_in(lab) == KEPT
    assert not summary_of(lab).complete
    assert [run.outcome == NOT_BOOTED for run in summary_of(lab).runs] == [
        number >= at for number in range(1, 5)
    ]
    first = summary_of(lab).runs[: at - 1]
    result = resume(again)
    assert len(again.after) == 5 - at
    assert summary_of(again) == result.swept
    assert summary_of(again).complete
    assert summary_of(again).runs[: at - 1] == first
    assert left_in(again) == DONE
    other = PaperLab(tmp_path / "other", recording)
    at_once = carry_out(other)
    assert outcomes(result.swept) == outcomes(at_once.swept)
    assert came_of_result(result) is came_of_result(at_once) is Came.UNPROVEN
    # One recording, four states, and the boot that was interrupted.
    assert len(list(again.options.runs.iterdir())) == 1 + 4 + 1


def test_one_that_was_killed_goes_on(lab: PaperLab, again: PaperLab) -> None:
    lab.fails_after, lab.fails_from = "kill", 3
    child = os.fork()
    if not child:
        carry_out(lab)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert left_in(lab) == KEPT | {"state-3.qcow2"}
    assert [run.outcome == NOT_BOOTED for run in summary_of(lab).runs] == [False, False, True, True]
    (SweepPlace.of(directory_of(lab)).path / "state-3.qcow2.raw").touch()
    resume(again)
    assert len(again.after) == 2
    assert left_in(again) == DONE


@pytest.mark.parametrize(("asked", "looked", "booted"), [(2, 2, 0), (4, 4, 0), (5, 4, 1), (7, 4, 3)])
def test_the_budget_is_that_of_each_call(
    lab: PaperLab,
    again: PaperLab,
    monkeypatch: pytest.MonkeyPatch,
    asked: int,
    looked: int,
    booted: int,
) -> None:
    monkeypatch.setattr(lab, "patience", lambda _: budget(asked))
    result = carry_out(lab)
    assert came_of_result(result) is Came.UNPROVEN
    assert result.swept == summary_of(lab)
    assert (summary_of(lab).complete, summary_of(lab).looked, summary_of(lab).booted) == (
        False,
        looked,
        booted,
    )
    assert left_in(lab) == KEPT
    # The states that were booted before cost nothing of it.
    monkeypatch.setattr(again, "patience", lambda _: budget(4 - looked + 4 - booted))
    resume(again)
    assert (summary_of(again).complete, summary_of(again).looked, summary_of(again).booted) == (True, 4, 4)
    assert len(again.after) == 4 - booted


def test_another_budget_is_no_other_plan(lab: PaperLab, again: PaperLab) -> None:
    interrupt(lab)
    assert PLAN.sweep
    resume(again, replace(PLAN, file="elsewhere.yaml", sweep=replace(PLAN.sweep, budget=5.0)))
    assert len(again.after) == 3


def test_one_that_was_interrupted_as_states_were_looked_at_says_how_many_were(
    lab: PaperLab, again: PaperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(line: str) -> None:
        if line.startswith("sweep: 2 of 4"):
            raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(sweeping, "TELL_EVERY", 0.0)
    with pytest.raises(KeyboardInterrupt):
        carry_out(lab, tell=stop)
    assert (
        summary_of(lab).complete,
        summary_of(lab).states,
        summary_of(lab).looked,
        len(summary_of(lab).runs),
    ) == (False, 4, 2, 2)
    said: list[str] = []
    assert resume(again, tell=said.append).swept == summary_of(again)
    assert "sweep: going on after 2 of 4 states" in said
    assert summary_of(again).complete


def test_it_may_be_interrupted_again(lab: PaperLab, again: PaperLab, recording: Recording) -> None:
    interrupt(lab)
    again.fails_after, again.fails_from = "interrupt", 2
    with pytest.raises(KeyboardInterrupt):
        resume(again)
    assert [run.outcome == NOT_BOOTED for run in summary_of(again).runs] == [False, False, True, True]
    third = PaperLab(again.options.runs.parent, recording)
    resume(third)
    assert len(third.after) == 2
    assert summary_of(third).complete


def test_run_directories_may_have_been_moved(lab: PaperLab, tmp_path: Path, recording: Recording) -> None:
    interrupt(lab)
    (tmp_path / "elsewhere").mkdir()
    lab.options.runs.rename(tmp_path / "elsewhere/runs")
    shutil.copytree(tmp_path / "cache", tmp_path / "elsewhere/cache", symlinks=True)
    moved = PaperLab(tmp_path / "elsewhere", recording)
    resume(moved)
    assert len(moved.after) == 3


def test_one_that_was_kept_whole_is_found_complete(
    tmp_path: Path, recording: Recording, again: PaperLab
) -> None:
    keeping = PaperLab(tmp_path, recording, keep=True)
    said: list[str] = []
    carry_out(keeping, tell=said.append)
    assert not any("to go on" in line for line in said)
    resume(again)
    assert again.after == []
    assert summary_of(again).complete
    assert left_in(again) == DONE


def test_a_state_that_could_not_be_measured_is_booted_again_and_not_hidden(
    lab: PaperLab, again: PaperLab
) -> None:
    lab.fails_after, lab.fails_from = "the guest panicked", 3
    result = carry_out(lab)
    assert came_of_result(result) is Came.ERROR
    assert [run.outcome for run in summary_of(lab).runs][2:] == ["ERROR", "ERROR"]
    assert not summary_of(lab).complete
    failed = [run.directory for run in summary_of(lab).runs][2:]
    assert left_in(lab) == KEPT
    assert came_of_result(resume(again)) is Came.UNPROVEN
    assert len(again.after) == 2
    assert [run.earlier for run in summary_of(again).runs] == [(), (), (failed[0],), (failed[1],)]


# -- what does not count


def torn(run: Path) -> None:
    events = (run / "events.jsonl").read_bytes()
    (run / "events.jsonl").write_bytes(events[: events.rindex(b"\n", 0, -1)])


def of_another_plan(run: Path) -> None:
    (run / "plan.json").write_text((run / "plan.json").read_text().replace('"summary":"', '"summary":"x'))


@pytest.mark.parametrize(
    ("spoil", "earlier"),
    [
        (torn, True),
        (of_another_plan, True),
        (lambda run: (run / "plan.json").unlink(), True),
        (lambda run: (run / "plan.json").write_text("{"), True),
        (shutil.rmtree, False),
    ],
)
def test_a_run_that_is_not_whole_is_made_again(
    lab: PaperLab, again: PaperLab, spoil: Callable[[Path], None], earlier: bool
) -> None:
    interrupt(lab, 3)
    way = summary_of(lab).runs[1].directory
    spoil(directory_of(lab) / way)
    resume(again)
    assert len(again.after) == 3
    run = summary_of(again).runs[1]
    assert run.directory
    assert run.earlier == ((way,) if earlier else ())


def test_a_run_of_another_cut_does_not_count(lab: PaperLab, again: PaperLab) -> None:
    interrupt(lab, 3)
    rewrite(lab, lambda runs: (replace(runs[0], directory=runs[1].directory), *runs[1:]))
    resume(again)
    assert len(again.after) == 3
    assert outcomes(summary_of(again)) == outcomes(summary_of(lab))


def test_verdicts_are_those_of_the_records(lab: PaperLab, again: PaperLab) -> None:
    interrupt(lab, 3)
    run = directory_of(lab) / summary_of(lab).runs[0].directory
    judged = (run / "verdict.json").read_bytes()
    (run / "verdict.json").unlink()
    rewrite(lab, lambda runs: (replace(runs[0], outcome="HELD", says=""), *runs[1:]))
    resume(again)
    assert summary_of(again).runs[0].outcome == "UNPROVEN"
    assert (run / "verdict.json").read_bytes() == judged
