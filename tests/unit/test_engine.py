# SPDX-License-Identifier: GPL-3.0-only
"""Points and faults as the engine carries them out, on machines of paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness import engine
from harness.engine import _Execution
from harness.host.deadline import Deadline, Patience
from harness.host.progress import Progress
from harness.model.clock import HostTime
from harness.model.event import FaultEnded, PointPassed, StepEnded
from harness.model.fault import Fault, Frozen, FullDisk
from harness.model.plan import Action, AwaitPoint, BeginFault, EndFault, PlannedStep, RunCommand
from harness.model.point import Point, UnitReady
from harness.record import read_event
from harness.record_writing import Recorder
from tests.unit.builders import fresh_revert

READY = UnitReady("snapd.service")


@dataclass
class PaperMachine:
    reached: bool = True
    boot: int = 4
    done: list[object] = field(default_factory=list)
    patience: Patience = field(default_factory=Patience)

    @property
    def shell(self) -> PaperMachine:
        return self

    def run(self, command: str, *_: object, **__: object) -> Any:
        self.done.append(command)
        return type("Result", (), {"stdout": "", "stderr": "", "status": 0, "seconds": 0.0})

    def mark(self) -> None:
        self.done.append("mark")

    def await_point(self, point: Point, _: Deadline) -> bool:
        self.done.append(point)
        return self.reached

    @contextmanager
    def explaining(self, _: str) -> Iterator[None]:
        yield

    def last_words(self) -> str:
        return ""


def carry_out(tmp_path: Path, machine: PaperMachine, *actions: Action) -> list[Any]:
    """The events that the actions leave, other than the beginnings of steps."""
    steps = tuple(PlannedStep(str(n), "step", action, 60.0) for n, action in enumerate(actions, 1))
    plan = replace(fresh_revert().plan(), steps=steps)
    with Recorder(tmp_path, lambda: HostTime(0)) as record:
        execution = _Execution(plan, record, Progress(lambda _: None, len(steps)))
        execution.carry_out(plan.steps, machine)  # type: ignore[arg-type]
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    events = (read_event(n, line).event for n, line in enumerate(lines, 1))
    return [event for event in events if isinstance(event, PointPassed | FaultEnded | StepEnded)]


@pytest.mark.parametrize(("reached", "detail"), [(True, ""), (False, "never reached")])
def test_a_point_is_recorded_and_the_run_goes_on(tmp_path: Path, reached: bool, detail: str) -> None:
    machine = PaperMachine(reached)
    passed, ended, *_ = carry_out(tmp_path, machine, AwaitPoint(READY), RunCommand("ls"))
    assert passed == PointPassed("1", 4, reached)
    assert ended.detail == detail
    assert machine.done == [READY, "mark", "ls"]


def test_what_counts_for_points_is_what_came_since_the_step_before(tmp_path: Path) -> None:
    machine = PaperMachine()
    carry_out(tmp_path, machine, RunCommand("a"), RunCommand("b"), AwaitPoint(READY), AwaitPoint(READY))
    assert machine.done == ["mark", "a", "mark", "b", READY, READY]


def test_a_run_without_points_marks_none(tmp_path: Path) -> None:
    machine = PaperMachine()
    carry_out(tmp_path, machine, RunCommand("a"))
    assert machine.done == ["a"]


def test_faults_end_in_whatever_order_they_are_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, Fault]] = []

    def apply(fault: Fault, _: object, __: Deadline) -> Any:
        done.append(("begin", fault))

        def undo(_: Deadline) -> int | None:
            done.append(("end", fault))
            return 3 if fault == Frozen() else None

        return undo

    monkeypatch.setattr(engine, "apply", apply)
    begins = BeginFault(1, FullDisk()), BeginFault(2, Frozen())
    events = carry_out(tmp_path, PaperMachine(), *begins, EndFault(2), EndFault(1))
    assert done == [("begin", FullDisk()), ("begin", Frozen()), ("end", Frozen()), ("end", FullDisk())]
    told = [event for event in events if isinstance(event, FaultEnded)]
    assert told == [FaultEnded("3", 4, 3), FaultEnded("4", 4, None)]
    assert [event.detail for event in events if isinstance(event, StepEnded)] == [
        "",
        "",
        "struck 3 times",
        "",
    ]
