# SPDX-License-Identifier: GPL-3.0-only
"""A sweep from the recording to its summary: real engine, judge and off-line part, on machines of paper."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness import engine, running_sweep
from harness.errors import CannotMeasure, HostLacks
from harness.host.deadline import Deadline, Patience
from harness.host.rundir import RunDirectory
from harness.image import starts
from harness.image.build import Image
from harness.image.starts import Start
from harness.judge import judge_directory
from harness.lab import Lab, Prepared
from harness.lab_spec import AfterCut, LabOptions
from harness.model import codec
from harness.model.event import BootBegan, MemoryRead, StepRecorded
from harness.model.plan import (
    Boot,
    InstallSnap,
    Plan,
    PlannedStep,
    RemoveSnap,
    RevertSnap,
    SnapRef,
    SwitchOff,
)
from harness.model.sweep import Cut, PlannedSweep
from harness.model.sweep_summary import NOT_BOOTED, SUMMARY, SweepSummary
from harness.qemu.accel import Accelerator
from harness.record import read_timeline
from harness.record_writing import Recorder
from harness.results import Came, RunResult, came_of_result
from harness.sweep import Recording, second_reader
from harness.sweep.place import SweepPlace
from tests.unit.builders import fresh_revert
from tests.unit.sweep.recordings import new_file, record

CLOCK = "2024-05-06T07:08:09"
PLAN = replace(
    fresh_revert().plan(),
    snaps=(),
    steps=tuple(
        PlannedStep(str(number), type(action).__name__, action, 60.0)
        for number, action in enumerate((Boot(), SwitchOff(), Boot(), RevertSnap("core")), 1)
    ),
    sweep=PlannedSweep("4", 0, False, 60.0),
)


@dataclass
class PaperMachine:
    """Its log grows by all of the recording while core is reverted."""

    fails: str = ""
    boot: int = 1
    entries: int = 0
    clock: str = CLOCK
    patience: Patience = field(default_factory=Patience)

    @property
    def written(self) -> int:
        return self.entries

    def await_boot(self, _: object) -> str:
        return ""

    def power_off(self, _: object) -> Mapping[str, bytes]:
        return {"agent.pyc": b"code"}

    def change(self, *_: object) -> str:
        if self.fails:
            raise CannotMeasure(self.fails)
        self.entries = 1000
        return ""

    def look(self, *_: object, **__: object) -> Any:
        if self.fails == "interrupt":
            raise KeyboardInterrupt
        return type("Look", (), {"number": 1, "unsettled": ()})

    def check(self, _: object) -> tuple[bool | None, str]:
        return None, ""

    @contextmanager
    def explaining(self, _: str) -> Iterator[None]:
        yield

    def memory(self) -> MemoryRead:
        return MemoryRead(0, 0, 0, 0)

    def last_words(self) -> str:
        return ""


class PaperLab(Lab):
    """`after` are the cuts that its machines went on from."""

    def __init__(self, root: Path, recording: Recording, **options: Any) -> None:
        super().__init__(
            LabOptions(catalogue=root / "none", runs=root / "runs", cache=root / "cache", **options), print
        )
        self.after: list[AfterCut] = []
        self.fails = self.fails_after = ""
        self._recording = recording

    def prepare(self, _: Plan) -> Prepared:
        image = Image("i", "key", Path("disk"), Path("k"), Path("i"), "/dev/vda", "", Path("m"))
        return Prepared(image, {}, Path("payload"))

    def _accelerator(self, _: Image) -> Accelerator:
        return Accelerator("tcg", "tcg", "max", 1.0, "told")

    @contextmanager
    def machine(  # type: ignore[override]
        self,
        _: Prepared,
        directory: RunDirectory,
        record: Recorder,
        __: object = None,
        *,
        start: Start | AfterCut | None = None,
        leaves: Path | None = None,
    ) -> Iterator[PaperMachine]:
        directory.console.touch()
        record.write(BootBegan(2 if isinstance(start, Start) else 1, 0, "the machine was started"))
        if isinstance(start, AfterCut):
            assert start.disk.exists()
            self.after.append(start)
            yield PaperMachine(self.fails_after)
            return
        if isinstance(start, Start):
            place = SweepPlace.of(directory.path)
            (place.path / "bytecode").mkdir(parents=True)
            (place.path / "bytecode/agent.pyc").write_bytes(b"code")
            shutil.copyfile(self._recording.base, place.base)
            shutil.copyfile(self._recording.log, place.log)
        yield PaperMachine(self.fails if isinstance(start, Start) else "", boot=2 if start else 1)
        if leaves:
            leaves.write_text("a disk")


@pytest.fixture(autouse=True)
def _no_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    def bootable(recording: Recording, cut: Cut, directory: Path, overlay: Path) -> Path:
        assert recording.base.exists()
        assert directory.exists()
        overlay.write_text(str(cut))
        return overlay

    monkeypatch.setattr(starts, "_make_movable", lambda *_: None)
    monkeypatch.setattr(engine, "require_room", lambda *_: None)
    monkeypatch.setattr(running_sweep, "bootable", bootable)
    monkeypatch.setattr(running_sweep, "POLICY_PATHS", ("/policy",))


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    made = tmp_path / "made"
    made.mkdir()
    return record(made, ["rm policy/two"], new_file(made, "two", b"22"), ["rm policy/one"])


@pytest.fixture
def lab(tmp_path: Path, recording: Recording) -> PaperLab:
    return PaperLab(tmp_path, recording)


def run_one(lab: Lab) -> Callable[[Plan, AfterCut | None], RunResult]:
    def run(plan: Plan, cut: AfterCut | None) -> RunResult:
        directory = engine.run_plan(plan, lab, print, cut)
        return RunResult(plan, directory, judge_directory(directory))

    return run


def carry_out(lab: PaperLab, plan: Plan = PLAN) -> RunResult:
    return running_sweep.carry_out_sweep(plan, lab, print, run_one(lab))


def runs(lab: PaperLab) -> list[Path]:
    return sorted(lab.options.runs.iterdir())


def left_in(lab: PaperLab) -> set[str]:
    (place,) = lab.options.runs.glob("*/sweep")
    return {path.name for path in place.iterdir()}


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
    asked: list[int] = []

    class Short(Patience):
        def deadline(self, nominal: float) -> Deadline:
            assert nominal == 60.0
            return Passing(0.0)

    class Passing(Deadline):
        @property
        def expired(self) -> bool:
            asked.append(1)
            return len(asked) > 4 + 1

    monkeypatch.setattr(lab, "patience", lambda _: Short())
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


def test_a_sweep_that_fails_is_an_error_and_leaves_nothing_large(
    lab: PaperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_reader, "read_with_tools", lambda *_: {})
    result = carry_out(lab)
    assert came_of_result(result) is Came.ERROR
    assert result.verdict.error.startswith("the sweep: cannot trust the reading of /policy")
    assert result.swept is None
    assert left_in(lab) == {"distinct"}


def test_one_that_is_interrupted_leaves_no_summary_and_nothing_large(lab: PaperLab) -> None:
    lab.fails_after = "interrupt"
    with pytest.raises(KeyboardInterrupt):
        carry_out(lab)
    assert len(runs(lab)) == 2
    assert not list(lab.options.runs.glob(f"*/{SUMMARY}"))
    assert left_in(lab) == {"sweep.json", "distinct"}


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
