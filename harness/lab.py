# SPDX-License-Identifier: GPL-3.0-only
"""The owner of machines: gets the bytes a plan needs, and starts machines from them.

Everything that a machine leaves behind lies in its run directory or in a temporary directory of its
`with` block; the store holds only what can be built again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path

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
from harness.image.build import Image, build_image
from harness.image.core import build_core
from harness.image.fingerprints import find_fingerprint, fingerprint_key, obtain_fingerprint
from harness.image.payload import build_payload
from harness.image.snapfile import SnapFile
from harness.image.snaps import build_snap
from harness.image.starts import Start, disk_in, keep_bytecode, obtain_start, start_key
from harness.image.workshop import Workshop, open_workshop
from harness.lab_spec import (
    AfterCut,
    Files,
    LabOptions,
    Wants,
    first_order,
    installed_files,
    machine_spec,
    wants_of,
    with_seed,
)
from harness.machine import Machine
from harness.machine_disk import RunDisk
from harness.machine_power import Change, Power
from harness.model.catalogue import Catalogue
from harness.model.clock import HostTime
from harness.model.event import ArtifactUsed, FingerprintUsed, MachineStarted, StartRepeated
from harness.model.fingerprint import Fingerprint
from harness.model.plan import Plan, SnapRef
from harness.model.repeat import Perturbation
from harness.model.wire import WITNESS_PORT
from harness.qemu.accel import Accelerator, choose
from harness.qemu.command import MachineSpec
from harness.qemu.console import ConsoleFollower
from harness.qemu.disk import create_overlay
from harness.qemu.instance import Instance
from harness.qemu.instance import start as begin
from harness.qemu.versions import read_version
from harness.record_writing import Recorder
from harness.scenario.alone import cores_of, start_of
from harness.scenario.catalogue import load_catalogue
from harness.sweep.place import SweepPlace

_START_SECONDS = 60.0
_NO_KVM = Path("/dev/null/kvm")


@dataclass(frozen=True, slots=True)
class Prepared:
    """All the bytes that a plan needs, ready on disk; `snaps` by their file name on the payload disk.

    `orders` says that the guest is given some, which takes a disk; `wants` is what the plan wants of its
    machine.
    """

    image: Image
    snaps: Mapping[str, SnapFile]
    payload: Path
    names: Mapping[str, str] = field(default_factory=dict)
    orders: bool = False
    wants: Wants = field(default_factory=Wants)

    def artifacts(self) -> Iterator[ArtifactUsed]:
        """What goes into the record about these bytes."""
        yield ArtifactUsed("image", self.image.name, self.image.key)
        for file_name, snap in self.snaps.items():
            yield ArtifactUsed("snap", self.names[file_name], snap.sha256, snap.build_ids)

    def fingerprint_key(self, plan: Plan, core: SnapRef) -> str:
        """Where the fingerprint catalogue has this core with the plan's image, snaps and connections."""
        start = start_of(plan)
        snaps = (self.snaps[ref.file_name] for ref in start.snaps)
        connections = (f"{one.plug} {one.slot}" for one in start.connections)
        return fingerprint_key(self.snaps[core.file_name], self.image.key, snaps, connections)


def prepare(plan: Plan, catalogue: Catalogue, workshop: Workshop) -> Prepared:
    """Build what is not in the store yet; raises as `Lab.prepare` does."""
    image = build_image(catalogue.images[plan.image], workshop)
    order = first_order(plan)
    if order and not image.our_initrd:
        raise Mistake(
            f"cannot {order}: the image {image.name!r} boots with an initrd of its own,"
            " which does not read orders before systemd starts",
            hint="give its recipe `kernel:` and `init:` instead of an initrd",
        )
    snaps = {ref.file_name: _snap(ref, catalogue, workshop) for ref in plan.snaps}
    names = {ref.file_name: ref.entry for ref in plan.snaps}
    return Prepared(image, snaps, build_payload(snaps, workshop), names, bool(order), wants_of(plan))


def _snap(ref: SnapRef, catalogue: Catalogue, workshop: Workshop) -> SnapFile:
    if ref.is_core:
        return build_core(catalogue.cores[ref.entry], workshop)
    return build_snap(catalogue.snaps[ref.entry], ref.variant, workshop)


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
        self,
        plan: Plan,
        prepared: Prepared,
        directory: RunDirectory,
        record: Recorder,
        carry_out: Callable[[Machine], Mapping[str, bytes]],
    ) -> Start:
        """The plan's start: carried out by `carry_out` and kept, or repeated into the record.

        `carry_out` leaves the machine switched off and returns the witness's bytecode. Raises what it raises,
        and HostLacks.
        """
        since = record.lines
        taken: list[Path] = []

        def take(place: Path) -> None:
            taken.append(place)
            with self.machine(prepared, directory, record, leaves=disk_in(place)) as machine:
                keep_bytecode(carry_out(machine), place)
            record_start.keep(directory.path, since, place)

        key = self.start_key(plan, prepared)
        start = obtain_start(key, prepared.image.disk, take, self._workshop.store)
        if not taken:
            record.write(StartRepeated(start.key, start.made))
            record_start.repeat(start.place, directory.path, record)
        return start

    def start_key(self, plan: Plan, prepared: Prepared) -> str:
        """The key of all that could make the plan's start, or the machine after it, another one.

        Raises as `start` does.
        """
        accelerator = self._accelerator(prepared.image)
        used = installed_files(plan.start)
        machine = {
            "witness": probe_sha256(),
            "accelerator": accelerator.option,
            "cpu": accelerator.cpu_model,
            "cpus": self.options.cpus,
            "memory": self.options.memory_mib,
            "append": self.options.append,
        }
        snaps = {name: snap.sha256 for name, snap in prepared.snaps.items() if name in used}
        return start_key(plan.start, prepared.image.key, snaps, machine)

    @contextmanager
    def machine(
        self,
        prepared: Prepared,
        directory: RunDirectory,
        record: Recorder,
        perturbation: Perturbation | None = None,
        *,
        start: Start | AfterCut | None = None,
        leaves: Path | None = None,
    ) -> Iterator[Machine]:
        """A started machine for the block; nothing of it is left afterwards but its run directory.

        It goes on from `start`, when that is given. With `leaves` it makes a start, which is alike for all
        plans that begin so, and leaves its disk there. What is written to the disk of a plan that is swept
        is kept for that (`SweepPlace`).
        """
        different, wants = perturbation or Perturbation(0, 0), Wants() if leaves else prepared.wants
        held = prepared.wants.holds_before
        takes_orders = prepared.orders and (not leaves or bool(held))
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
            orders = Orders(scratch / "orders", () if leaves else held) if takes_orders else None
            base = start.disk if start else prepared.image.disk
            overlay = create_overlay(base, leaves or scratch / "disk.qcow2")
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
                before=wants.boots_before if isinstance(start, Start) else 0,
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
