# SPDX-License-Identifier: GPL-3.0-only
"""Faults that are done by commands: what the guest is told, and that a boot's end spares putting it right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from harness.errors import Mistake
from harness.fault import applied, apply
from harness.guest.shell import ShellResult
from harness.host.deadline import Deadline, Patience
from harness.model.fault import Dying, Failing, Fault, Frozen, FullDisk, Killed, Slow


class PaperMachine:
    """A machine whose shell writes down what it is told, and answers with `says`."""

    def __init__(self, says: str = "0\n", factor: float = 1.0) -> None:
        self.patience = Patience(factor)
        self.boot = 3
        self.told: list[str] = []
        self.files: dict[str, bytes] = {}
        self.ordered: list[str] = []
        self._says = says

    @property
    def shell(self) -> Any:
        return self

    def run(self, command: str, _: Deadline) -> ShellResult:
        self.told.append(command)
        return ShellResult(command, 0, self._says, "", 0.0)

    def put(self, content: bytes, path: str, _: Deadline) -> None:
        self.files[path] = content

    def afflict(self, *_: Any) -> Any:
        raise AssertionError("QEMU has no part in this")

    def order(self, files: Mapping[str, bytes]) -> Callable[[], None]:
        self.ordered += files
        return self.ordered.clear


def soon() -> Deadline:
    return Deadline.after(30)


LATE = Slow("snapd", 20.0)
SLOW = Slow("snap-seccomp", 2.5)


@pytest.mark.parametrize(
    ("fault", "begins", "ends"),
    [
        (FullDisk(), "fallocate", "rm -f /var/lib/revert-safety-full"),
        (Frozen(), "cgroup.freeze", "echo 0 >"),
        (LATE, "daemon-reload", "rm -f /run/systemd/system/snapd.service.d/revert-safety-slow.conf"),
        (
            SLOW,
            "/run/revert-safety/fault-snap-seccomp slow 2.500 '' /usr/lib/snapd/snap-seccomp",
            "kill -KILL",
        ),
        (
            Failing("apparmor_parser"),
            "fault-apparmor_parser failing 0.000 '' /usr/sbin/apparmor_parser",
            "rm -r",
        ),
        (
            Dying("snap-seccomp", "compile"),
            "fault-snap-seccomp dying 0.000 compile /usr",
            "rm -r /run/revert-safety/fault-snap-seccomp",
        ),
    ],
)
def test_it_is_done_and_put_right(fault: Fault, begins: str, ends: str) -> None:
    machine = PaperMachine()
    with applied(fault, machine, soon()):
        done = machine.told.copy()
        assert any(begins in command for command in done)
        assert not any(ends in command for command in done)
    assert any(ends in command for command in machine.told[len(done) :])


def test_it_is_put_right_after_an_error_too() -> None:
    machine = PaperMachine()
    with pytest.raises(ZeroDivisionError), applied(Frozen(), machine, soon()):
        raise ZeroDivisionError
    assert "echo 0 >" in machine.told[-1]


@pytest.mark.parametrize(
    ("fault", "told"), [(Frozen(), 0), (SLOW, 0), (Failing("apparmor_parser"), 0), (FullDisk(), 1), (LATE, 1)]
)
def test_what_ends_with_its_boot_is_not_put_right_in_another(fault: Fault, told: int) -> None:
    machine = PaperMachine()
    undo = apply(fault, machine, soon())
    machine.boot += 1
    machine.told.clear()
    undo(soon())
    assert len(machine.told) == told


def test_it_says_how_often_a_compiler_was_struck() -> None:
    machine = PaperMachine("12\n")
    assert apply(SLOW, machine, soon())(soon()) == 12
    undo = apply(SLOW, machine, soon())
    machine.boot += 1
    assert undo(soon()) is None


def test_it_is_longer_on_a_slow_host() -> None:
    machine = PaperMachine(factor=3.0)
    apply(SLOW, machine, soon())
    assert " slow 7.500 " in machine.told[-1]
    apply(LATE, machine, soon())
    assert (
        b"SNAPD_SLOW_STARTUP=60s"
        in machine.files["/run/systemd/system/snapd.service.d/revert-safety-slow.conf"]
    )


def test_a_late_snapd_is_late_in_later_boots_until_the_end() -> None:
    machine = PaperMachine()
    undo = apply(LATE, machine, soon())
    assert machine.ordered == ["run/systemd/system/snapd.service.d/revert-safety-slow.conf"]
    undo(soon())
    assert machine.ordered == []


def test_a_machine_without_orders_is_not_touched() -> None:
    class WithoutOrders(PaperMachine):
        def order(self, files: Mapping[str, bytes]) -> Callable[[], None]:
            raise Mistake(f"no disk for {len(files)} files")

    machine = WithoutOrders()
    with pytest.raises(Mistake):
        apply(LATE, machine, soon())
    assert machine.told == []


def test_a_killed_snapd_is_left_to_systemd() -> None:
    machine = PaperMachine()
    undo = apply(Killed(), machine, soon())
    assert machine.told == ["systemctl kill --signal=KILL snapd.service"]
    undo(soon())
    assert len(machine.told) == 1


def test_the_gate_is_sent_as_it_is() -> None:
    machine = PaperMachine()
    apply(Dying("snap-seccomp"), machine, soon())
    program = machine.files["/run/revert-safety/fault-snap-seccomp/gate.py"]
    assert b"FAN_OPEN_EXEC_PERM" in program
    compile(program, "gate.py", "exec")
