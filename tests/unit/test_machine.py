# SPDX-License-Identifier: GPL-3.0-only
"""How a machine ends boots and waits for points, with power, witness and QEMU of paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.guest.orders import Orders
from harness.host.deadline import Deadline, Patience
from harness.machine import Machine
from harness.model.clock import GuestTime
from harness.model.occurrence import Executed, Occurrence
from harness.model.plan import HoldUnit
from harness.model.point import ProgramExecuted, TimePassed
from harness.model.scenario import RebootHow
from harness.model.wire import Hello


class Paper:
    """Power, its QEMU and its witness, and the watch on boots: what was done, in order."""

    def __init__(self, *, panics: bool = True) -> None:
        self.done: list[object] = []
        self.number = 1
        self.told: list[Occurrence] = []
        self._panics = panics
        self.instance = self.witness = self

    @contextmanager
    def expected(self, *, panic: bool = False) -> Iterator[None]:
        self.done.append(f"expected, panic={panic}")
        yield
        self.done.append("expected no more")

    def cut(self, how: str | Callable[[], None]) -> None:
        """The power's, which is told whom to call, and the watch's, which is told how."""
        self.done.append(how if isinstance(how, str) else "cut")
        if callable(how):
            how()
        else:
            self.number += 1

    def kill(self, off: Callable[[], None]) -> None:
        self.done.append("kill")
        off()

    def panicked(self, _: int, __: Deadline) -> bool:
        return self._panics

    def changed(self, since: int, _: Deadline) -> bool:
        self.number += self.number == since
        return True

    def execute(self, command: str) -> None:
        self.done.append(command)

    def expect_cut(self) -> None:
        self.done.append("expect a cut")

    def stopped(self) -> None:
        self.done.append("stopped")

    def quit(self, _: Deadline) -> None:
        self.done.append("quit")

    def run(self, *_: object, **__: object) -> SimpleNamespace:
        self.done.append("run")
        return SimpleNamespace(stdout="")

    def close(self) -> None:
        self.done.append("close")

    def reset(self) -> None:
        self.done.append("reset")

    def cont(self) -> None:
        self.done.append("cont")

    def await_hello(self, not_boot_id: str | None, _: Deadline) -> Hello:
        self.done.append(("hello of another than", not_boot_id))
        return Hello(f"boot-id-{self.number}", "sha", GuestTime(1), "6.12")

    @property
    def occurred(self) -> int:
        return len(self.told)

    def release(self, number: int, _: Deadline) -> None:
        self.done.append(("release", number))

    def await_occurrence(self, matches: Callable[[Occurrence], bool], since: int, _: Deadline) -> int | None:
        self.done.append(("wait", since))
        numbered = enumerate(self.told, 1)
        return next((n for n, one in numbered if n > since and matches(one)), None)


def machine_of(paper: Any, orders: Orders | None = None) -> Machine:
    return Machine(paper, paper, paper, paper, Patience(), orders)


def soon() -> Deadline:
    return Deadline.after(30)


@pytest.mark.parametrize(
    ("how", "panics", "done"),
    [
        (RebootHow.RESET, True, ["expected, panic=False", "reset", "expected no more"]),
        (RebootHow.KILL, True, ["kill", "the host killed QEMU"]),
        (RebootHow.POWER_CUT, True, ["cut", "the power was cut"]),
        (
            RebootHow.PANIC,
            True,
            ["expected, panic=True", "inject-nmi", "reset", "expected no more", "cont"],
        ),
        # the guest reset itself
        (RebootHow.PANIC, False, ["expected, panic=True", "inject-nmi", "expected no more"]),
    ],
)
def test_a_boot_is_ended(how: RebootHow, panics: bool, done: list[object]) -> None:
    paper = Paper(panics=panics)
    told = machine_of(paper).reboot(how, soon(), held=True)
    assert paper.done == [*done, ("hello of another than", None)]
    assert told == "boot 2, id boot-id-"


def test_each_reboot_waits_for_a_boot_other_than_the_one_that_ended() -> None:
    paper = Paper()
    machine = machine_of(paper)
    for how in (RebootHow.RESET, RebootHow.KILL, RebootHow.RESET):
        machine.reboot(how, soon(), held=True)
    waited = [one[1] for one in paper.done if isinstance(one, tuple)]
    assert waited == [None, "boot-id-2", "boot-id-3"]


@pytest.mark.parametrize("begins_held", [True, False])
def test_what_a_boot_began_with_is_released_once_it_is_kept_waiting(
    tmp_path: Path, begins_held: bool
) -> None:
    paper = Paper()
    orders = Orders(tmp_path / "orders")
    orders.add(HoldUnit(1, "snapd.service"))
    orders.add(HoldUnit(2, "a.service"))
    machine = machine_of(paper, orders)
    if begins_held:
        machine.reboot(RebootHow.RESET, soon(), held=True)
    paper.done.clear()
    machine.release(1, soon())
    assert paper.done == [("wait", 0)] * begins_held + [("release", 1)]


def test_what_an_earlier_machine_held_is_released_likewise(tmp_path: Path) -> None:
    paper = Paper()
    machine = machine_of(paper, Orders(tmp_path / "orders", [HoldUnit(1, "snapd.service")]))
    assert machine.await_witness(soon()) == "boot 1, id boot-id-"
    paper.done.clear()
    machine.release(1, soon())
    assert paper.done == [("wait", 0), ("release", 1)]


def test_a_start_that_ends_by_a_reset_leaves_the_guest_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = Paper()
    machine = machine_of(paper)
    monkeypatch.setattr(machine, "_shell", paper)
    assert machine.power_off(soon(), at_once=True) == {}
    assert paper.done == ["run", "expect a cut", "stop", "stopped", "close", "quit"]


def ran(program: str) -> Executed:
    return Executed(at=GuestTime(1), pid=1, exe=program)


def test_a_point_counts_since_the_mark_and_once() -> None:
    paper = Paper()
    machine = machine_of(paper)
    paper.told = [ran("/snapd")]
    machine.mark()
    assert not machine.await_point(ProgramExecuted("snapd"), soon())
    paper.told += [ran("/snapd"), ran("/snapd"), ran("/snap")]
    assert machine.await_point(ProgramExecuted("snapd"), soon())
    assert machine.await_point(ProgramExecuted("snapd"), soon())
    assert not machine.await_point(ProgramExecuted("snapd"), soon())
    assert machine.await_point(ProgramExecuted("snap"), soon())


@pytest.mark.parametrize("how", [RebootHow.KILL, RebootHow.POWER_CUT])
def test_a_new_qemu_begins_to_count_anew(how: RebootHow) -> None:
    paper = Paper()
    machine = machine_of(paper)
    paper.told = [ran("/a"), ran("/b")]
    machine.mark()
    machine.reboot(how, soon(), held=True)
    paper.told = [ran("/snapd")]
    assert machine.await_point(ProgramExecuted("snapd"), soon())


@pytest.mark.parametrize(("limit", "reached"), [(30.0, True), (0.0, False)])
def test_a_time_passes_unless_the_step_s_is_over_before(limit: float, reached: bool) -> None:
    assert machine_of(Paper()).await_point(TimePassed(0.01), Deadline.after(limit)) is reached
