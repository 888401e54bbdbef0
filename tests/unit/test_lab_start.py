# SPDX-License-Identifier: GPL-3.0-only
"""A start is carried out once: a run that starts alike repeats its record and goes on from its disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness import engine
from harness.errors import CannotMeasure
from harness.host.deadline import Patience
from harness.host.rundir import RunDirectory
from harness.image import starts
from harness.image.build import Image
from harness.image.starts import Start
from harness.lab import Lab
from harness.lab_prepared import Prepared
from harness.lab_spec import LabOptions, Leaves
from harness.model.event import BootBegan, MemoryRead, RunFailed, StartRepeated
from harness.model.plan import Action, Boot, Look, Plan, PlannedStep, RunCommand, SwitchOff
from harness.model.timeline import Timeline
from harness.qemu.accel import Accelerator
from harness.record import read_timeline
from harness.record_writing import Recorder
from tests.unit.builders import fresh_revert

STEPS: tuple[Action, ...] = (Boot(), RunCommand("install"), SwitchOff(), Boot(), RunCommand("go on"))


def plan(*commands: str) -> Plan:
    """A plan whose commands are these; the first is its start's."""
    given = iter(commands)
    actions = [RunCommand(next(given)) if isinstance(one, RunCommand) else one for one in STEPS]
    steps = tuple(PlannedStep(str(n), type(a).__name__, a, 60.0) for n, a in enumerate(actions, 1))
    return replace(fresh_revert().plan(), snaps=(), steps=steps)


@dataclass
class PaperMachine:
    done: list[str]
    fails: str
    unsettled: tuple[str, ...] = ()
    boot: int = 1
    patience: Patience = field(default_factory=lambda: Patience(1.0))

    @property
    def shell(self) -> PaperMachine:
        return self

    def await_boot(self, _: object) -> str:
        self.done.append("boot")
        return ""

    def await_witness(self, _: object) -> str:
        self.done.append("witness")
        return ""

    def power_off(self, _: object, *, at_once: bool) -> Mapping[str, bytes]:
        self.done.append("reset" if at_once else "switch off")
        return {"agent.cpython-313.pyc": b"code"}

    def run(self, command: str, *_: object, **__: object) -> Any:
        self.done.append(command)
        if command == self.fails:
            raise CannotMeasure("the guest panicked")
        return type("Result", (), {"stdout": "", "stderr": "", "status": 0, "seconds": 0.0})

    @contextmanager
    def explaining(self, _: str) -> Iterator[None]:
        yield

    def look(self, *_: object, **__: object) -> Any:
        self.done.append("look")
        return type("Look", (), {"number": 1, "unsettled": self.unsettled})

    def memory(self) -> MemoryRead:
        return MemoryRead(0, 0, 0, 0)

    def last_words(self) -> str:
        return ""


class PaperLab(Lab):
    """A lab with machines of paper; `done` is what was done, machine by machine."""

    def __init__(self, root: Path, fails: str = "", unsettled: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(
            LabOptions(catalogue=root / "none", runs=root / "runs", cache=root / "cache", **options), print
        )
        self.done: list[list[str]] = []
        self.bases: list[Start | None] = []
        self._of_machines = fails, unsettled

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
        start: Start | None = None,
        leaves: Leaves | None = None,
    ) -> Iterator[PaperMachine]:
        self.done.append([])
        self.bases.append(start)
        boot = start.boots + 1 if start else 1
        console = directory.console.read_text() if start else ""
        record.write(BootBegan(boot, len(console), "the machine was started"))
        directory.console.write_text(f"{console}boot {boot}\n")
        yield PaperMachine(self.done[-1], *self._of_machines)
        if leaves:
            leaves.disk.write_text("a disk")


@pytest.fixture(autouse=True)
def _no_qemu_img(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "_lay_on", lambda *_: None)


def run(lab: PaperLab, *commands: str) -> Path:
    return engine.run_plan(plan(*commands), lab, print)


def steps(run: Path) -> list[str]:
    events = (recorded.event for recorded in read_timeline(run).events)
    return [type(event).__name__ for event in events]


def test_the_first_run_carries_it_out_and_goes_on_from_its_disk(tmp_path: Path) -> None:
    lab = PaperLab(tmp_path)
    timeline = read_timeline(run(lab, "install", "go on"))
    assert lab.done == [["boot", "install", "switch off"], ["boot", "go on"]]
    first, second = lab.bases
    assert first is None
    assert second is not None
    assert second.disk.read_text() == "a disk"
    assert second.bytecode == {"agent.cpython-313.pyc": b"code"}
    assert [boot.number for boot in timeline.boots] == [1, 2]
    assert not [r for r in timeline.events if isinstance(r.event, StartRepeated)]


def test_the_next_that_starts_alike_repeats_it(tmp_path: Path) -> None:
    first = run(PaperLab(tmp_path), "install", "go on")
    lab = PaperLab(tmp_path)
    second = run(lab, "install", "go elsewhere")
    assert lab.done == [["boot", "go elsewhere"]]
    assert [name for name in steps(second) if name != "StartRepeated"] == steps(first)
    timeline = read_timeline(second)
    (start,) = lab.bases
    assert start is not None
    told = [recorded.event for recorded in timeline.events if isinstance(recorded.event, StartRepeated)]
    assert told == [StartRepeated(start.key, start.made, boots=1)]
    assert [line.text for boot in timeline.boots[:1] for line in boot.console] == ["boot 1"]


@pytest.mark.parametrize("different", [{"append": "quiet"}, {"cpus": 4}, {"memory_mib": 999}])
def test_another_machine_carries_out_its_own(tmp_path: Path, different: Mapping[str, Any]) -> None:
    run(PaperLab(tmp_path), "install", "go on")
    lab = PaperLab(tmp_path, **different)
    run(lab, "install", "go on")
    assert len(lab.done) == 2


def test_one_that_starts_otherwise_carries_out_its_own(tmp_path: Path) -> None:
    run(PaperLab(tmp_path), "install", "go on")
    lab = PaperLab(tmp_path)
    run(lab, "install more", "go on")
    assert lab.done[0] == ["boot", "install more", "switch off"]


def test_one_that_failed_is_in_the_runs_own_record_and_is_not_kept(tmp_path: Path) -> None:
    timeline = read_timeline(run(PaperLab(tmp_path, fails="install"), "install", "go on"))
    assert timeline.failure == RunFailed("2", "CannotMeasure", "the guest panicked")
    assert [boot.number for boot in timeline.boots] == [1]
    lab = PaperLab(tmp_path)
    run(lab, "install", "go on")
    assert len(lab.done) == 2


def test_one_that_ends_by_a_reset_is_gone_on_from_as_soon_as_the_witness_speaks(tmp_path: Path) -> None:
    lab = PaperLab(tmp_path)
    whole = plan("install", "go on")
    ends = {"3": SwitchOff(at_once=True), "4": Boot(held=True)}
    steps = tuple(replace(step, action=ends.get(step.number, step.action)) for step in whole.steps)
    engine.run_plan(replace(whole, steps=steps), lab, print)
    assert lab.done == [["boot", "install", "reset"], ["witness", "go on"]]


def run_with_look(lab: PaperLab, *, boot_end: bool = True) -> None:
    whole = plan("install", "go on")
    look = PlannedStep("2b", "look", Look("at the end of the start", "2.57.6", boot_end=boot_end), 60.0)
    engine.run_plan(replace(whole, steps=(*whole.steps[:2], look, *whole.steps[2:])), lab, print)


def test_one_that_had_not_settled_is_gone_on_from_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = PaperLab(tmp_path, unsettled=("snap.a.b.service waits in snap-confine",))
    run_with_look(busy)
    assert busy.done == [["boot", "install", "look", "switch off"], ["boot", "go on"]]
    assert "this start has not settled: the next run that starts so makes its own" in capsys.readouterr().out
    next_lab, later_lab = PaperLab(tmp_path), PaperLab(tmp_path)
    run_with_look(next_lab)
    assert next_lab.done == busy.done
    run_with_look(later_lab)
    assert later_lab.done == [["boot", "go on"]]


def test_a_look_that_waits_for_nothing_says_nothing_of_it(tmp_path: Path) -> None:
    run_with_look(PaperLab(tmp_path, unsettled=("a job runs",)), boot_end=False)
    lab = PaperLab(tmp_path)
    run_with_look(lab, boot_end=False)
    assert lab.done == [["boot", "go on"]]


# -- a start that goes on from another

LONG: tuple[Action, ...] = (
    *(Boot(), RunCommand("install"), SwitchOff()),
    *(Boot(), RunCommand("refresh"), SwitchOff()),
    *(Boot(), RunCommand("go on")),
)


def long_run(lab: PaperLab) -> Timeline:
    steps = tuple(PlannedStep(str(n), type(a).__name__, a, 60.0) for n, a in enumerate(LONG, 1))
    return read_timeline(engine.run_plan(replace(plan("install", "go on"), steps=steps), lab, print))


def kept_of(timeline: Timeline) -> list[int]:
    return [each.event.boots for each in timeline.events if isinstance(each.event, StartRepeated)]


def test_it_goes_on_from_the_one_that_others_share(tmp_path: Path) -> None:
    run(PaperLab(tmp_path), "install", "go elsewhere")
    lab = PaperLab(tmp_path)
    timeline = long_run(lab)
    assert lab.done == [["boot", "refresh", "switch off"], ["boot", "go on"]]
    assert [start.boots for start in lab.bases if start] == [1, 2]
    assert [boot.number for boot in timeline.boots] == [1, 2, 3]
    assert kept_of(timeline) == [1]
    assert [line.text for boot in timeline.boots for line in boot.console] == ["boot 1", "boot 2", "boot 3"]


def test_it_is_kept_whole(tmp_path: Path) -> None:
    first = long_run(PaperLab(tmp_path))
    assert kept_of(first) == []
    for place in (tmp_path / "cache" / "starts").iterdir():
        if len((place / "console.log").read_text().splitlines()) == 1:
            shutil.rmtree(place)
    lab = PaperLab(tmp_path)
    second = long_run(lab)
    assert lab.done == [["boot", "go on"]]
    assert kept_of(second) == [2]
    assert [boot.number for boot in second.boots] == [1, 2, 3]
    assert [line.text for boot in second.boots for line in boot.console] == ["boot 1", "boot 2", "boot 3"]


def test_one_made_from_what_was_there_is_repeated_as_one(tmp_path: Path) -> None:
    run(PaperLab(tmp_path), "install", "go elsewhere")
    long_run(PaperLab(tmp_path))
    timeline = long_run(PaperLab(tmp_path))
    assert kept_of(timeline) == [2]
    assert [boot.number for boot in timeline.boots] == [1, 2, 3]


def test_a_plan_that_never_switches_off_has_one_machine(tmp_path: Path) -> None:
    lab = PaperLab(tmp_path)
    whole = plan("install", "go on")
    engine.run_plan(replace(whole, steps=whole.steps[:2]), lab, print)
    assert lab.done == [["boot", "install"]]
    assert not (tmp_path / "cache" / "starts").exists()
