# SPDX-License-Identifier: GPL-3.0-only
"""A machine's power: QEMU and the ear on its witness, from one switching on to the next.

A machine is killed as it runs: to stop it before would flush its disks, and a cut would lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType

from harness.errors import CannotMeasure
from harness.guest.witness import Witness
from harness.machine_disk import RunDisk
from harness.qemu.command import MachineSpec
from harness.qemu.instance import Instance

Change = Callable[[Instance], None]
SwitchOn = Callable[[ExitStack, MachineSpec, Change], tuple[Instance, Witness]]
"""Starts a QEMU, does something to it before the guest's first instruction, and listens to its witness."""


class Power:
    """On within its `with` block."""

    def __init__(self, spec: MachineSpec, disk: RunDisk, switch_on: SwitchOn) -> None:
        self._spec = spec
        self._disk = disk
        self._switch_on = switch_on
        self._changes: list[Change] = []
        self._stack = ExitStack()
        self._now: tuple[Instance, Witness] | None = None

    def __enter__(self) -> Power:
        self._on()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return bool(self._stack.__exit__(kind, error, trace))

    @property
    def instance(self) -> Instance:
        """The QEMU that runs."""
        return self._running[0]

    @property
    def witness(self) -> Witness:
        """Who listens to its guest."""
        return self._running[1]

    def death(self) -> CannotMeasure | None:
        """Why QEMU is gone although nobody asked it to, or None."""
        return self.instance.death()

    def count_entries(self) -> int:
        """How many entries the recording of the disk has by now; raises as `RunDisk.count_entries` does."""
        return self._disk.count_entries()

    def clock(self) -> str:
        """What the real-time clock shows, as `-rtc base=` takes it: a battery keeps it going."""
        return _clock(self.instance)

    def afflict(self, begin: Change, end: Change) -> Callable[[], None]:
        """Do `begin` to the QEMU that runs and to each that is started later; the result does `end`."""
        begin(self.instance)
        self._changes.append(begin)

        def undo() -> None:
            self._changes.remove(begin)
            end(self.instance)

        return undo

    def kill(self, off: Callable[[], None]) -> None:
        """Kill QEMU and start another one on the same disk; `off` is called between.

        Raises HostLacks, InstanceDied or TimedOut when there is no other one.
        """
        self._restart(off, self._disk.killed)

    def cut(self, off: Callable[[], None]) -> None:
        """As `kill`, but what the guest had not flushed is lost.

        Raises Mistake besides when the disk is not one for that, and RecordUnusable.
        """
        self._disk.require_power_cuts()
        self._restart(off, self._disk.power_cut)

    def _restart(self, off: Callable[[], None], renew_disk: Callable[[], None]) -> None:
        clock = self.clock()
        self.witness.expect_cut()
        self.instance.kill()
        self._stack.close()
        off()
        renew_disk()
        self._spec = replace(self._spec, clock=clock, disks=(self._disk.disk, *self._spec.disks[1:]))
        self._on()

    def _on(self) -> None:
        self._now = self._switch_on(self._stack, self._spec, self._change)

    def _change(self, instance: Instance) -> None:
        for begin in self._changes:
            begin(instance)

    @property
    def _running(self) -> tuple[Instance, Witness]:
        if self._now is None:
            raise CannotMeasure("cannot use the machine: it was never switched on")
        return self._now


def _clock(instance: Instance) -> str:
    shown = instance.execute("qom-get", {"path": "/machine", "property": "rtc-time"})
    if not isinstance(shown, dict):
        raise CannotMeasure(f"cannot read the machine's clock: QEMU says {shown}")
    # struct tm counts years from 1900 and months from 0.
    day = f"{shown['tm_year'] + 1900:04}-{shown['tm_mon'] + 1:02}-{shown['tm_mday']:02}"
    return f"{day}T{shown['tm_hour']:02}:{shown['tm_min']:02}:{shown['tm_sec']:02}"
