# SPDX-License-Identifier: GPL-3.0-only
"""A machine: QEMU and the guest in it, joined. The one place that knows both.

Observations come over virtio-serial and commands go over ssh, so that a guest whose network is what broke
still says what its kernel holds. Whatever waits for the guest stops waiting at once when QEMU dies or the
guest's kernel panics, and says that instead of a time-out.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from harness import machine_changes
from harness.boot_watch import BootWatch
from harness.errors import CannotMeasure, GuestFailed, InstanceDied, Mistake, TimedOut
from harness.guest.boots import BootId, await_first_boot, await_new_boot
from harness.guest.bytecode import compile_command, read_code
from harness.guest.keys import RunKeys
from harness.guest.orders import Orders
from harness.guest.seed import PROBE, TAKE_ORDERS
from harness.guest.shell import Shell
from harness.guest.snapd import Snapd
from harness.guest.testinfra import CHECKS, host_of
from harness.guest.witness import Witness
from harness.host.deadline import Deadline, NotYet, Patience, wait_until
from harness.host.facts import read_resident_memory
from harness.machine_changes import Change, Connection
from harness.machine_power import Change as PowerChange
from harness.machine_power import Power
from harness.model.event import MemoryRead
from harness.model.observation import Look
from harness.model.occurrence import Held
from harness.model.plan import Check, HoldUnit
from harness.model.point import Point, TimePassed, is_reached
from harness.model.scenario import RebootHow
from harness.qemu.console import ConsoleFollower
from harness.qemu.instance import Instance

LOOK_SECONDS = 30.0  # nominal: a look itself takes 1 to 3 s under TCG
TWINS_SECONDS = 120.0  # nominal: one takes 2 to 5 s under TCG, and the witness gives each 30 s
KEPT_SECONDS = 30.0  # nominal: the witness starts 2 to 4 s before the first unit that matters under TCG
LOG_IN_SECONDS = 20.0  # nominal: of one attempt, since a guest without network lets it hang


class Machine:
    """A started machine; made by `Lab.machine` and gone with its block.

    `patience` turns nominal seconds into deadlines on this host. After `reboot` the shell is a new
    one: nothing that was read in an earlier boot is kept. `orders` is None where no unit is to be held.
    """

    def __init__(
        self,
        power: Power,
        console: ConsoleFollower,
        boots: BootWatch,
        keys: RunKeys,
        patience: Patience,
        orders: Orders | None = None,
    ) -> None:
        self.patience = patience
        self._power = power
        self._console = console
        self._boots = boots
        self._keys = keys
        self._orders = orders
        self._shell: Shell | None = None
        self._boot_id: BootId | None = None
        self._greeted: str | None = None
        self._heard = 0
        self._ended: CannotMeasure | None = None

    @property
    def _instance(self) -> Instance:
        return self._power.instance

    @property
    def _witness(self) -> Witness:
        return self._power.witness

    @property
    def boot(self) -> int:
        """The number of the boot that runs, from 1."""
        return self._boots.number

    @property
    def written(self) -> int:
        """How many requests the log of writes has by now; raises Mistake where a run is not recorded."""
        return self._power.count_entries()

    @property
    def clock(self) -> str:
        """What the machine's real-time clock shows (YYYY-MM-DDTHH:MM:SS)."""
        return self._power.clock()

    @property
    def shell(self) -> Shell:
        """The ssh shell of this boot; raises GuestFailed before the guest was ready."""
        if self._shell is None:
            raise GuestFailed("cannot run a command: this boot has not been waited for")
        return self._shell

    def await_boot(self, deadline: Deadline) -> str:
        """Wait until this boot takes commands; returns a line that says which it is.

        Raises GuestFailed, InstanceDied or TimedOut.
        """
        old = self._boot_id
        new = (
            await_new_boot(self._witness, old, deadline) if old else await_first_boot(self._witness, deadline)
        )
        self._boot_id = new
        self._greeted = new
        self._boots.ready(new)
        self._shell = Shell.connect("127.0.0.1", self._instance.forwarded_port(), self._keys, deadline)
        return f"boot {self.boot}, id {new[:8]}"

    def await_witness(self, deadline: Deadline) -> str:
        """Wait for the witness of a boot, which has its orders; returns and raises as `await_boot` does."""
        self._greeted = self._witness.await_hello(self._greeted, deadline).boot_id
        if self._orders:
            self._orders.booted()
        return f"boot {self.boot}, id {self._greeted[:8]}"

    def await_shell(self, deadline: Deadline) -> None:
        """Wait for ssh by trying, in a first boot whose witness says nothing or is not there.

        Raises GuestFailed, InstanceDied or TimedOut.
        """
        port = self._instance.forwarded_port()

        def log_in() -> Shell | NotYet:
            if self._ended is not None:
                raise self._ended
            try:
                some = deadline.at_most(self.patience.seconds(LOG_IN_SECONDS))
                return Shell.connect("127.0.0.1", port, self._keys, some)
            except (GuestFailed, TimedOut) as error:
                return NotYet(error.message)

        self._shell = wait_until(log_in, deadline, what="the guest to accept ssh connections", every=1.0)

    def power_off(self, deadline: Deadline, *, at_once: bool = False) -> Mapping[str, bytes]:
        """Have the guest switch itself off, or do it `at_once`; nothing runs any more.

        Returns the witness's bytecode, by file name; nothing where the guest's Python gives none.
        """
        code = read_code(self.shell.run(compile_command(PROBE), deadline, check=False).stdout)
        if at_once:
            self._witness.expect_cut()
            self._instance.execute("stop")
            self._boots.stopped()
        else:
            with self._boots.expected():
                self.shell.run("systemctl --no-block poweroff", deadline)
                self._instance.wait_for("SHUTDOWN", deadline)
        self.close()
        self._instance.quit(deadline)
        return code

    def reboot(self, how: RebootHow, deadline: Deadline, *, held: bool = False) -> str:
        """End this boot and wait for the next (`held`: for its witness); raises as `await_boot` does."""
        match how:
            case RebootHow.KILL:
                self._power.kill(lambda: self._boots.cut("the host killed QEMU"))
                self._heard = 0
            case RebootHow.POWER_CUT:
                self._power.cut(lambda: self._boots.cut("the power was cut"))
                self._heard = 0
            case _:
                self._end_boot(how, deadline)
        self.close()
        greeted = self.await_witness(deadline)
        return greeted if held else self.await_boot(deadline)

    def _end_boot(self, how: RebootHow, deadline: Deadline) -> None:
        ending = self._boots.number  # asked before the end, which may come before the call returns
        panic = how is RebootHow.PANIC
        with self._boots.expected(panic=panic):
            if how is RebootHow.CLEAN:
                self.shell.run("systemctl --no-block reboot", deadline)
            elif panic:
                self._instance.execute("inject-nmi")
            else:
                self._instance.reset()
            stands_still = panic and self._boots.panicked(ending, deadline)
            if stands_still:
                self._instance.reset()
            self._await_end(ending, deadline)
        if stands_still:
            self._instance.cont()

    def hold(self, hold: HoldUnit, deadline: Deadline) -> None:
        """Keep a unit from starting, from its next start on.

        Raises GuestFailed when the guest does not take the order, Mistake when there is no room for it.
        """
        seconds = self.patience.seconds(hold.seconds)
        self._given_orders.add(dataclasses.replace(hold, seconds=seconds))
        self.shell.run(f"sh {TAKE_ORDERS} && systemctl daemon-reload", deadline)

    def release(self, number: int, deadline: Deadline) -> None:
        """Let the unit of this hold start; over the witness, because commands may wait for that unit.

        In a boot that began with it, not before the unit was to start, if it is by then.
        """
        if self._given_orders.drop(number):
            some = deadline.at_most(self.patience.seconds(KEPT_SECONDS))
            self._witness.await_occurrence(lambda one: isinstance(one, Held) and one.hold == number, 0, some)
        self._witness.release(number, deadline)

    def order(self, files: Mapping[str, bytes]) -> Callable[[], None]:
        """Have the guest find files at the start of each later boot; the result ends that."""
        orders = self._given_orders
        orders.put(files)
        return lambda: orders.take_back(files)

    def afflict(self, begin: PowerChange, end: PowerChange) -> Callable[[], None]:
        """Do `begin` to the QEMU that runs and to each that is started later; the result does `end`."""
        return self._power.afflict(begin, end)

    def mark(self) -> None:
        """From now on what the witness tells of counts for a point, and nothing before."""
        self._heard = self._witness.occurred

    def await_point(self, point: Point, deadline: Deadline) -> bool:
        """Wait until a point is reached; False when the deadline passed first. Raises GuestFailed."""
        if isinstance(point, TimePassed):
            until = deadline.at_most(self.patience.seconds(point.seconds))
            self._witness.await_occurrence(lambda _: False, 0, until)
            return not deadline.expired
        found = self._witness.await_occurrence(lambda one: is_reached(point, one), self._heard, deadline)
        self._heard = self._heard if found is None else found
        return found is not None

    @property
    def _given_orders(self) -> Orders:
        if self._orders is None:
            raise Mistake("cannot give the guest orders: this machine was made for a plan without any")
        return self._orders

    def _await_end(self, ending: int, deadline: Deadline) -> None:
        if not self._boots.changed(ending, deadline):
            raise TimedOut(
                "cannot see this boot end: the machine was not reset in time",
                hint="a service may be blocking the shutdown; see the console",
            )

    def change(self, action: Change | Connection, deadline: Deadline) -> str:
        """Carry out a change of snaps or connections and wait until it is done."""
        return machine_changes.carry_out(action, self.shell, deadline)

    def start_change(self, action: Change, deadline: Deadline) -> str:
        """Start a change without waiting; returns snapd's id of it."""
        return machine_changes.begin(action, self.shell, deadline)

    def await_change(self, change: str, deadline: Deadline) -> str:
        """Wait until a started change is done."""
        return Snapd(self.shell).await_change(change, deadline)

    def look(self, reason: str, deadline: Deadline, *, settle: bool, twins: bool = False) -> Look:
        """Have the witness read the guest; with `settle`, after waiting for calm until the deadline."""
        wait = deadline.remaining if settle else 0.0
        seconds = LOOK_SECONDS + (TWINS_SECONDS if twins else 0.0)
        return self._witness.look(
            reason, wait, Deadline.after(wait + self.patience.seconds(seconds)), twins=twins
        )

    def check(self, check: Check) -> tuple[bool | None, str]:
        """Read a check through testinfra: whether it passed (None: unreadable) and what was seen."""
        try:
            return CHECKS[check.name](host_of(self.shell), check.parameters)
        except InstanceDied:
            raise
        except CannotMeasure as error:
            return None, str(error)

    def memory(self) -> MemoryRead:
        """Resident memory of QEMU and of the harness, in KiB."""
        ours, theirs = read_resident_memory(os.getpid()), self._instance.resident_memory()
        return MemoryRead(
            theirs.now_kib if theirs else 0,
            theirs.peak_kib if theirs else 0,
            ours.now_kib if ours else 0,
            ours.peak_kib if ours else 0,
        )

    def last_words(self) -> str:
        """The console's last line."""
        return next(iter(self._console.tail(1)), "")

    @contextmanager
    def explaining(self, doing: str) -> Iterator[None]:
        """Name `doing`, the first cause and the last console lines in what fails within the block."""
        try:
            yield
        except (GuestFailed, TimedOut, InstanceDied) as error:
            cause = self._boots.trouble or error
            tail = self._console.tail()
            raise GuestFailed(f"{doing}: {cause.message}", hint=cause.hint, console_tail=tail) from error

    def stop_waiting(self, trouble: CannotMeasure) -> None:
        """Make every wait for the guest end with `trouble`; called by the watch, from its thread."""
        self._ended = self._ended or trouble
        self._witness.fail(trouble)
        if (shell := self._shell) is not None:
            shell.give_up(trouble)

    def close(self) -> None:
        """Drop the shell; the machine itself ends with its block."""
        shell, self._shell = self._shell, None
        if shell is not None:
            with suppress(OSError):
                shell.close()
