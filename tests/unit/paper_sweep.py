# SPDX-License-Identifier: GPL-3.0-only
"""A lab whose machines are of paper, to sweep over one recording: real engine, judge and off-line part."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness import engine, running, running_resume, running_sweep
from harness.errors import CannotMeasure
from harness.host import whole_file
from harness.host.deadline import Deadline, Patience
from harness.host.progress import Tell
from harness.host.rundir import RunDirectory
from harness.image import starts
from harness.image.build import Image
from harness.image.starts import Start
from harness.lab import Lab
from harness.lab_prepared import Prepared
from harness.lab_spec import AfterCut, LabOptions, Leaves
from harness.model.event import BootBegan, MemoryRead
from harness.model.plan import Boot, Plan, PlannedStep, RevertSnap, SwitchOff
from harness.model.sweep import Cut, PlannedSweep
from harness.model.sweep_summary import SweepSummary
from harness.qemu.accel import Accelerator
from harness.record_writing import Recorder
from harness.results import RunResult
from harness.results_sweep import read_summary
from harness.sweep import Recording
from harness.sweep.place import SweepPlace
from tests.unit.builders import fresh_revert
from tests.unit.sweep.recordings import new_file, record

CLOCK = "2024-05-06T07:08:09"
KEPT = {"base.raw", "writes", "bytecode", "recorded.json", "sweep.json", "distinct"}
DONE = {"sweep.json", "distinct"}
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

    def power_off(self, _: object, **__: object) -> Mapping[str, bytes]:
        return {"agent.pyc": b"code"}

    def change(self, *_: object) -> str:
        if self.fails == "interrupt":
            raise KeyboardInterrupt
        if self.fails:
            raise CannotMeasure(self.fails)
        self.entries = 1000
        return ""

    def look(self, *_: object, **__: object) -> Any:
        match self.fails:
            case "interrupt":
                raise KeyboardInterrupt
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "":
                pass
            case words:
                raise CannotMeasure(words)
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
    """`after` are the cuts that its machines went on from; those from number `fails_from` on fail."""

    def __init__(self, root: Path, recording: Recording, **options: Any) -> None:
        super().__init__(
            LabOptions(catalogue=root / "none", runs=root / "runs", cache=root / "cache", **options), print
        )
        self.after: list[AfterCut] = []
        self.fails = self.fails_after = ""
        self.fails_from = 1
        self.key = "key"
        self._recording = recording

    def prepare(self, _: Plan) -> Prepared:
        image = Image("i", self.key, Path("disk"), Path("k"), Path("i"), "/dev/vda", "", Path("m"))
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
        leaves: Leaves | None = None,
    ) -> Iterator[PaperMachine]:
        directory.console.touch()
        record.write(BootBegan(2 if isinstance(start, Start) else 1, 0, "the machine was started"))
        if isinstance(start, AfterCut):
            assert start.disk.exists()
            self.after.append(start)
            yield PaperMachine(self.fails_after if len(self.after) >= self.fails_from else "")
            return
        if isinstance(start, Start):
            place = SweepPlace.of(directory.path)
            (place.path / "bytecode").mkdir(parents=True)
            (place.path / "bytecode/agent.pyc").write_bytes(b"code")
            shutil.copyfile(self._recording.base, place.base)
            shutil.copyfile(self._recording.log, place.log)
        yield PaperMachine(self.fails if isinstance(start, Start) else "", boot=2 if start else 1)
        if leaves:
            leaves.disk.write_text("a disk")


def without_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks are made without QEMU's tools, and `/policy` of a recording's disk is what tells states apart.

    Nothing waits for the host's disk.
    """

    def bootable(recording: Recording, cut: Cut, directory: Path, overlay: Path) -> Path:
        assert recording.base.exists()
        assert directory.exists()
        overlay.write_text(str(cut))
        return overlay

    monkeypatch.setattr(whole_file, "_flush", lambda _: None)
    monkeypatch.setattr(starts, "_lay_on", lambda *_: None)
    monkeypatch.setattr(engine, "require_room", lambda *_: None)
    monkeypatch.setattr(running_sweep, "bootable", bootable)
    monkeypatch.setattr(running_sweep, "POLICY_PATHS", ("/policy",))


def four_states(directory: Path) -> Recording:
    """A recording with the disk before it and three flushes, each of which leaves another policy."""
    directory.mkdir()
    return record(directory, ["rm policy/two"], new_file(directory, "two", b"22"), ["rm policy/one"])


def budget(times: int) -> Patience:
    """One whose deadlines are over once they were asked for so many times."""
    asked: list[int] = []

    class Passing(Deadline):
        @property
        def expired(self) -> bool:
            asked.append(1)
            return len(asked) > times

    class Short(Patience):
        def deadline(self, nominal: float) -> Deadline:
            assert nominal == 60.0
            return Passing(0.0)

    return Short()


def carry_out(lab: PaperLab, plan: Plan = PLAN, tell: Tell = print) -> RunResult:
    """Record and sweep."""
    assert plan.sweep
    return running_sweep.carry_out_sweep(plan, plan.sweep, lab, tell, running.measure_with(lab, tell))


def resume(lab: PaperLab, plan: Plan = PLAN, tell: Tell = print) -> RunResult:
    """Go on with the only recording of the lab's runs."""
    assert plan.sweep
    measure = running.measure_with(lab, tell)
    return running_resume.resume_sweep(plan, plan.sweep, directory_of(lab), lab, tell, measure)


def directory_of(lab: PaperLab) -> Path:
    """The recording's."""
    (place,) = lab.options.runs.glob("*/sweep")
    return place.parent


def left_in(lab: PaperLab) -> set[str]:
    """What the recording's directory `sweep` holds."""
    return {path.name for path in (directory_of(lab) / "sweep").iterdir()}


def summary_of(lab: PaperLab) -> SweepSummary:
    """The summary that lies in the recording's directory."""
    summary = read_summary(directory_of(lab))
    assert summary
    return summary


def interrupt(lab: PaperLab, at: int = 2) -> None:
    """Record and sweep, until Ctrl-C in the boot of state `at`."""
    lab.fails_after, lab.fails_from = "interrupt", at
    with pytest.raises(KeyboardInterrupt):
        carry_out(lab)
