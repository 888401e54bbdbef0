# SPDX-License-Identifier: GPL-3.0-only
"""A sweep from the recording to its summary: real engine, judge and off-line part, on machines of paper."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import running_sweep
from harness.errors import HostLacks
from harness.model import codec
from harness.model.event import StepRecorded
from harness.model.plan import Boot, InstallSnap, RemoveSnap, RevertSnap, SnapRef
from harness.model.sweep import Cut, PlannedSweep
from harness.model.sweep_summary import NOT_BOOTED, SUMMARY, SweepSummary
from harness.record import read_timeline
from harness.results import Came, came_of_result
from harness.sweep import Recording, second_reader
from tests.unit.paper_sweep import (
    CLOCK,
    PLAN,
    PaperLab,
    PaperMachine,
    budget,
    carry_out,
    left_in,
)


def runs(lab: PaperLab) -> list[Path]:
    return sorted(lab.options.runs.iterdir())


def test_every_different_state_is_booted_in_a_run_of_its_own(lab: PaperLab) -> None:
    result = carry_out(lab)
    assert result.swept
    assert result.swept.coverage == "4 of 4 states, 4 different policies, 4 booted"
    assert [run.cut for run in result.swept.runs] == [Cut(number) for number in range(4)]
    told = [event.event for event in read_timeline(result.directory).events]
    assert StepRecorded("4", 0, 1000, CLOCK) in told
    assert len(runs(lab)) == 5
    assert [after.made for after in lab.after] == ["2024-05-06T07:10:09"] * 4
    assert lab.after[0].bytecode == {"agent.pyc": b"code"}
    # Of paper nobody told anything.
    assert came_of_result(result) is Came.UNPROVEN


def test_a_run_says_which_cut_of_which_recording_it_is_of(lab: PaperLab) -> None:
    result = carry_out(lab)
    assert result.swept
    directory = result.directory / result.swept.runs[1].directory
    timeline = read_timeline(directory)
    cut = timeline.plan.cut
    assert cut
    assert (cut.recording, cut.cut, cut.states) == (result.directory.name, Cut(1), 1)
    assert timeline.plan.title.endswith("{cut at flush 1}")
    assert timeline.recording
    assert timeline.recording.plan == read_timeline(result.directory).plan
    shutil.rmtree(directory / "recording")
    assert any("the record of the run that was cut" in gap for gap in read_timeline(directory).gaps)


def test_the_summary_lies_with_the_recording_and_what_is_large_is_gone(lab: PaperLab) -> None:
    result = carry_out(lab)
    summary: SweepSummary = codec.loads(SweepSummary, (result.directory / SUMMARY).read_bytes())
    assert summary == result.swept
    assert left_in(lab) == {"sweep.json", "distinct"}
    assert json.loads((result.directory / "verdict.json").read_text())["scenario"] == PLAN.title


def test_all_of_it_is_kept_when_machines_are(tmp_path: Path, recording: Recording) -> None:
    lab = PaperLab(tmp_path, recording, keep=True)
    carry_out(lab)
    disks = {f"state-{number}.qcow2" for number in range(1, 5)}
    assert left_in(lab) >= {"base.raw", "writes", "bytecode", *disks}


def test_only_the_part_that_the_step_wrote_is_swept(lab: PaperLab, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(machine: PaperMachine, *_: object) -> str:
        machine.entries = 1
        return ""

    monkeypatch.setattr(PaperMachine, "change", change)
    result = carry_out(lab)
    assert result.swept
    assert [run.cut for run in result.swept.runs] == [Cut(0), Cut(1)]


def test_each_write_is_lost_where_that_is_asked_for(lab: PaperLab) -> None:
    result = carry_out(lab, replace(PLAN, sweep=PlannedSweep("4", 2, True, 60.0)))
    assert result.swept
    assert {run.cut.flush for run in result.swept.runs} <= {0, 3}
    assert any(run.cut.dropped is not None for run in result.swept.runs)


def test_what_the_budget_is_too_short_for_is_not_booted(
    lab: PaperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "patience", lambda _: budget(4 + 1))
    result = carry_out(lab)
    assert result.swept
    assert [run.outcome == NOT_BOOTED for run in result.swept.runs] == [False, True, True, True]
    assert len(lab.after) == 1
    assert any(finding.kind == "not-booted" for finding in result.verdict.findings)


def test_a_recording_that_failed_is_not_swept_over(lab: PaperLab) -> None:
    lab.fails = "the guest panicked"
    result = carry_out(lab)
    assert result.swept is None
    assert "the guest panicked" in result.verdict.error
    assert (left_in(lab), len(runs(lab))) == (set(), 1)


def test_a_state_that_cannot_be_measured_is_an_error_and_the_others_are_booted(
    lab: PaperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise HostLacks("cannot make a disk: it is full")

    monkeypatch.setattr(running_sweep, "bootable", full)
    result = carry_out(lab)
    assert came_of_result(result) is Came.ERROR
    assert result.swept
    assert [run.outcome for run in result.swept.runs] == ["ERROR"] * 4
    assert "cut at flush 2: cannot make a disk: it is full" in result.verdict.error


def test_a_sweep_that_fails_is_an_error_and_what_going_on_needs_is_kept(
    lab: PaperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_reader, "read_with_tools", lambda *_: {})
    result = carry_out(lab)
    assert came_of_result(result) is Came.ERROR
    assert result.verdict.error.startswith("the sweep: cannot trust the reading of /policy")
    assert result.swept is None
    assert left_in(lab) == {"base.raw", "writes", "bytecode", "recorded.json", "distinct"}


@pytest.mark.parametrize("fails", ["interrupt", "the guest panicked"])
def test_a_recording_that_did_not_end_leaves_nothing_large(lab: PaperLab, fails: str) -> None:
    lab.fails = fails
    with suppress(KeyboardInterrupt):
        carry_out(lab)
    assert (left_in(lab), len(runs(lab))) == (set(), 1)


@pytest.mark.parametrize(
    ("action", "more"),
    [
        (RevertSnap("core"), []),
        (RevertSnap("bluez"), ["/snap/bluez/current"]),
        (RemoveSnap("bluez"), ["/snap/bluez/current"]),
        (InstallSnap(SnapRef("bluez", "bluez", "bluez.snap")), ["/snap/bluez/current"]),
        (Boot(), []),
    ],
)
def test_states_differ_by_which_revision_is_current(action: Any, more: list[str]) -> None:
    steps = (*PLAN.steps[:3], replace(PLAN.steps[3], action=action))
    paths = running_sweep.paths_of(replace(PLAN, steps=steps))
    assert list(paths) == ["/policy", "/snap/core/current", *more]
