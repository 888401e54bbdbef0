# SPDX-License-Identifier: GPL-3.0-only
"""The owner of machines: gets the bytes a plan needs, and starts machines from them.

Everything that a machine leaves behind lies in its run directory or in a temporary directory of its
`with` block; the store holds only what can be built again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Protocol

from harness import record_start
from harness.boot_watch import BootWatch
from harness.errors import HostLacks, Mistake
from harness.guest.keys import RunKeys
from harness.guest.orders import Orders
from harness.guest.seed import make_seed, probe_sha256
from harness.guest.witness import Witness
from harness.host.deadline import Deadline, Patience, monotonic_ns
from harness.host.facts import read_host_facts
from harness.host.progress import Tell
from harness.host.rundir import RunDirectory, new_run
from harness.image.build import Image
from harness.image.fingerprints import find_fingerprint, obtain_fingerprint
from harness.image.starts import Carried, Start, disk_in, keep_beside_disk, obtain_start, start_key
from harness.image.workshop import Workshop, open_workshop
from harness.lab_prepared import Prepared, prepare
from harness.lab_spec import (
    AfterCut,
    Files,
    LabOptions,
    Leaves,
    Wants,
    installed_files,
    machine_spec,
    with_seed,
)
from harness.machine import Machine
from harness.machine_disk import RunDisk
from harness.machine_power import Change, Power
from harness.model.catalogue import Catalogue
from harness.model.clock import HostTime
from harness.model.event import FingerprintUsed, MachineStarted, StartRepeated
from harness.model.fingerprint import Fingerprint
from harness.model.plan import HoldUnit, Plan, PlannedStep, boots_in
from harness.model.repeat import Perturbation
from harness.model.wire import WITNESS_PORT
from harness.qemu.accel import Accelerator, choose
from harness.qemu.command import MachineSpec
from harness.qemu.console import ConsoleFollower
from harness.qemu.disk import create_overlay
from harness.qemu.instance import Instance
from harness.qemu.instance import start as begin
from harness.qemu.versions import ONE_THREAD, read_version
from harness.record_writing import Recorder
from harness.scenario.alone import cores_of
from harness.scenario.catalogue import load_catalogue
from harness.sweep.place import SweepPlace

_START_SECONDS = 60.0
_NO_KVM = Path("/dev/null/kvm")


class StartCarrier(Protocol):
    """Who carries out a start's steps, or is told that they need not be."""

    def carry_out_start(self, steps: Sequence[PlannedStep], machine: Machine) -> Carried:
        """Carry them out, and leave the machine switched off."""

    def skip_start(self, steps: Sequence[PlannedStep], start: Start) -> None:
        """The run's first steps are in `start`, which was there already."""


class Lab:
    """Gets a plan's bytes and starts its machine; `tell` gets a line for whatever takes long."""

    def __init__(self, options: LabOptions, tell: Tell) -> None:
        self.options = options
        self._tell = tell

    @cached_property
    def catalogue(self) -> Catalogue:
        """The table of names; raises Mistakes when the file has any."""
        return load_catalogue(self.options.catalogue)

    @cached_property
    def _workshop(self) -> Workshop:
        options = self.options
        return open_workshop(
            self._tell,
            root=options.cache,
            mirror=options.mirror,
            snapshot=options.snapshot,
            snapshot_base=options.snapshot_base,
        )

    @property
    def version(self) -> str:
        """The harness's own version, for the record."""
        return metadata.version("revert-safety")

    def host_facts(self) -> Mapping[str, str]:
        """What the host is, for the record."""
        facts = asdict(read_host_facts())
        return {name: str(value) for name, value in facts.items()}

    def prepare(self, plan: Plan) -> Prepared:
        """Build what is not in the store yet.

        Raises BuildFailed, SourceMoved or HostLacks; Mistake when the catalogue lacks a name.
        """
        return prepare(plan, self.catalogue, self._workshop)

    def patience(self, prepared: Prepared) -> Patience:
        """How slow machines are on this host."""
        return Patience(self._accelerator(prepared.image).host_factor)

    def fingerprints(self, plan: Plan, prepared: Prepared) -> Iterator[FingerprintUsed]:
        """What the fingerprint catalogue has on the plan's cores; none is ever taken for it.

        Raises HostLacks when an entry cannot be read.
        """
        for core in cores_of(plan):
            key = prepared.fingerprint_key(plan, core)
            if found := find_fingerprint(key, self._workshop.store):
                yield FingerprintUsed(key, replace(found, core=core.entry))

    def obtain_fingerprint(self, key: str, take: Callable[[], Fingerprint]) -> Fingerprint:
        """The catalogue's entry under `key`, taken by `take` unless it is there."""
        return obtain_fingerprint(key, take, self._workshop.store)

    @contextmanager
    def record(self, plan: Plan) -> Iterator[tuple[RunDirectory, Recorder]]:
        """A new run directory with the plan in it, locked and open for the record."""
        with ExitStack() as stack:
            directory = stack.enter_context(new_run(self.options.runs, plan.title))
            record = stack.enter_context(Recorder(directory.path, _clock_from_now()))
            record.write_plan(plan)
            yield directory, record

    def start(
        self, plan: Plan, prepared: Prepared, directory: RunDirectory, record: Recorder, carrier: StartCarrier
    ) -> Start:
        """The plan's start: carried out by `carrier` and kept, or repeated into the record.

        One that goes on from another, which more plans begin with, has that one made first, or repeated.
        Raises what the carrier raises, and HostLacks.
        """
        return self._start(plan.starts, prepared, directory, record, carrier)

    def _start(
        self,
        starts: Sequence[tuple[PlannedStep, ...]],
        prepared: Prepared,
        directory: RunDirectory,
        record: Recorder,
        carrier: StartCarrier,
    ) -> Start:
        *others, steps = starts
        since, is_made = record.lines, False

        def take(place: Path) -> timedelta:
            nonlocal is_made
            is_made = True
            before = self._start(others, prepared, directory, record, carrier) if others else None
            behind = before.behind if before else timedelta()
            mine = steps[len(others[-1]) :] if others else steps
            leaves = Leaves(disk_in(place), any(isinstance(step.action, HoldUnit) for step in mine))
            with self.machine(prepared, directory, record, start=before, leaves=leaves) as machine:
                carried = carrier.carry_out_start(mine, machine)
            keep_beside_disk(carried, place)
            if carried.unsettled:
                self._tell("this start has not settled: the next run that starts so makes its own")
            record_start.keep(directory.path, since, place)
            return behind

        key = self._key_of_start(steps, prepared)
        start = obtain_start(key, prepared.image.disk, take, self._workshop.store)
        start = replace(start, boots=boots_in(steps))
        if not is_made:
            record.write(StartRepeated(start.key, start.made, start.boots))
            record_start.repeat(start.place, directory.path, record)
            carrier.skip_start(steps, start)
        return start

    def start_key(self, plan: Plan, prepared: Prepared) -> str:
        """The key of all that could make the plan's start, or the machine after it, another one.

        Raises as `start` does.
        """
        return self._key_of_start(plan.start, prepared)

    def _key_of_start(self, steps: tuple[PlannedStep, ...], prepared: Prepared) -> str:
        accelerator = self._accelerator(prepared.image)
        used = installed_files(steps)
        machine = {
            "witness": probe_sha256(),
            # Not its option: a guest leaves the same whether its CPUs share a thread of QEMU or not.
            "accelerator": accelerator.kind,
            "cpu": accelerator.cpu_model,
            "cpus": self.options.cpus,
            "memory": self.options.memory_mib,
            "append": self.options.append,
        }
        snaps = {name: snap.sha256 for name, snap in prepared.snaps.items() if name in used}
        return start_key(steps, prepared.image.key, snaps, machine)

    @contextmanager
    def machine(
        self,
        prepared: Prepared,
        directory: RunDirectory,
        record: Recorder,
        perturbation: Perturbation | None = None,
        *,
        start: Start | AfterCut | None = None,
        leaves: Leaves | None = None,
    ) -> Iterator[Machine]:
        """A started machine for the block; nothing of it is left afterwards but its run directory.

        It goes on from `start`, when that is given. With `leaves` it makes a start, which is alike for all
        plans that begin so. What is written to the disk of a plan that is swept
        is kept for that (`SweepPlace`).
        """
        different, wants = perturbation or Perturbation(0, 0), Wants() if leaves else prepared.wants
        takes_orders = prepared.orders and (not leaves or leaves.holds)
        accelerator = self._accelerator(prepared.image)
        patience = Patience(accelerator.host_factor)
        with ExitStack() as stack:
            scratch = stack.enter_context(self._scratch(directory, is_kept=not leaves))
            keys = RunKeys.generate()
            initrd = scratch / "initrd"
            seed = make_seed(
                keys,
                delays=different.delays,
                orders=takes_orders,
                witness=self.options.watch,
                bytecode=start.bytecode if start else {},
                eager=bool(wants.points),
                slowness=accelerator.host_factor,
            )
            initrd.write_bytes(with_seed(prepared.image.initrd.read_bytes(), seed))
            held = () if leaves else wants.holds_before
            orders = Orders(scratch / "orders", held) if takes_orders else None
            base = start.disk if start else prepared.image.disk
            overlay = create_overlay(base, leaves.disk if leaves else scratch / "disk.qcow2")
            place = SweepPlace.of(directory.path)
            if wants.swept:
                place.prepare(base, start.bytecode if start else {})
            recording = place.log if wants.swept else None
            disk = RunDisk(base, overlay, power_cuts=wants.power_cuts, recording=recording)
            files = Files(directory, initrd, disk.disk, prepared.payload, orders.disk if orders else None)
            spec = machine_spec(self.options, prepared.image, accelerator, files, different, start, wants)
            watch = BootWatch(
                record,
                ConsoleFollower(directory.console),
                before=start.boots if isinstance(start, Start) else 0,
            )
            watch.begin("the machine was started")

            def switch_on(life: ExitStack, spec: MachineSpec, change: Change) -> tuple[Instance, Witness]:
                began = Deadline.after(_START_SECONDS)
                instance = life.enter_context(
                    begin(spec, directory.qemu_log, began, on_event=watch.on_event, paused=True)
                )
                record.write(_started(self.options.qemu, accelerator))
                change(instance)
                heard = instance.channel(WITNESS_PORT), record.hear, lambda: watch.number, record.clock
                witness = life.enter_context(Witness(*heard, wants.is_awaited))
                instance.cont()
                return instance, witness

            power = stack.enter_context(Power(spec, disk, switch_on))
            console = ConsoleFollower(directory.console)
            machine = Machine(power, console, watch, keys, patience, orders)
            stack.callback(machine.close)
            stack.enter_context(watch.watching(power.death, machine.stop_waiting))
            yield machine

    @contextmanager
    def _scratch(self, directory: RunDirectory, *, is_kept: bool) -> Iterator[Path]:
        """Room for the disk and the keys, where the user wants runs to be; kept only when asked to."""
        if self.options.keep and is_kept:
            kept = directory.path / "machine"
            kept.mkdir()
            yield kept
        else:
            with tempfile.TemporaryDirectory(prefix="machine-", dir=directory.path) as scratch:
                yield Path(scratch)

    def _accelerator(self, image: Image) -> Accelerator:
        chosen = self._chosen_accelerator(image)
        alone = chosen.kind != "tcg" or not self.options.one_thread
        return chosen if alone else replace(chosen, option=ONE_THREAD)

    def _chosen_accelerator(self, image: Image) -> Accelerator:
        options = self.options
        cache = self._workshop.store.root
        match options.accelerator:
            case "tcg":
                return choose(image.kernel, image.initrd, cache, program=options.qemu, kvm=_NO_KVM)
            case "auto":
                return choose(image.kernel, image.initrd, cache, program=options.qemu)
            case "kvm":
                found = choose(image.kernel, image.initrd, cache, program=options.qemu)
                if found.kind != "kvm":
                    raise HostLacks(f"cannot use KVM: {found.why}", hint="leave the choice to the harness")
                return found
            case other:
                raise Mistake(f"unknown accelerator {other!r}", hint="one of auto, kvm, tcg")


def _clock_from_now() -> Callable[[], HostTime]:
    began = monotonic_ns()
    return lambda: HostTime(monotonic_ns() - began)


def _started(program: str, accelerator: Accelerator) -> MachineStarted:
    return MachineStarted(
        read_version(program).text,
        accelerator.option,
        accelerator.cpu_model,
        accelerator.host_factor,
        accelerator.why,
    )
