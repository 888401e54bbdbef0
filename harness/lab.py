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

from harness.boot_watch import BootWatch
from harness.errors import HostLacks, Mistake
from harness.guest.keys import RunKeys
from harness.guest.orders import ORDERS_SERIAL, Orders
from harness.guest.seed import MANAGEMENT_MAC, SCENARIO_MAC, make_seed
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
from harness.image.workshop import Workshop, open_workshop
from harness.machine import PAYLOAD_SERIAL, Machine
from harness.model.catalogue import Catalogue
from harness.model.clock import HostTime
from harness.model.event import ArtifactUsed, FingerprintUsed, MachineStarted
from harness.model.fingerprint import Fingerprint
from harness.model.plan import Plan, SnapRef
from harness.model.repeat import Perturbation
from harness.model.wire import WITNESS_PORT
from harness.qemu.accel import Accelerator, choose
from harness.qemu.command import (
    PROGRAM,
    Channel,
    DirectKernel,
    Disk,
    DiskFormat,
    MachineSpec,
    Nic,
)
from harness.qemu.console import ConsoleFollower
from harness.qemu.disk import cache_for, create_overlay
from harness.qemu.instance import start
from harness.qemu.versions import read_version
from harness.record_writing import Recorder
from harness.scenario.alone import cores_of, start_of
from harness.scenario.catalogue import load_catalogue

WITNESS_RAW = "witness.raw"
_START_SECONDS = 60.0
# What the witness reads later, kept from the kernel's own start: every program executed and every process
# forked, some 100 bytes each, in a buffer for each CPU (Documentation/admin-guide/kernel-parameters.txt).
TRACE_FROM_START = (
    "trace_event=sched:sched_process_exec,sched:sched_process_fork trace_buf_size=1M trace_clock=boot"
)
_NO_KVM = Path("/dev/null/kvm")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """Where a lab finds and leaves things.

    `accelerator` is `auto`, `kvm` or `tcg`; `append` goes onto the guest kernel's command line;
    `keep` leaves the disk and the run's keys in the run directory. Without `watch` there is no witness in
    the guest and no trace from the kernel's start: what watching costs is measured against that
    (benchmarks/observer.py), and a run without it has no evidence.
    """

    catalogue: Path
    runs: Path
    cache: Path | None = None
    mirror: str = ""
    snapshot: str = ""
    snapshot_base: str = ""
    accelerator: str = "auto"
    qemu: str = PROGRAM
    keep: bool = False
    append: str = ""
    memory_mib: int = 1536
    cpus: int = 2
    watch: bool = True


@dataclass(frozen=True, slots=True)
class Prepared:
    """All the bytes that a plan needs, ready on disk; `snaps` by their file name on the payload disk.

    `holds` says that units are held, which takes a disk for the orders.
    """

    image: Image
    snaps: Mapping[str, SnapFile]
    payload: Path
    names: Mapping[str, str] = field(default_factory=dict)
    holds: bool = False

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
    if plan.holds and not image.our_initrd:
        raise Mistake(
            f"cannot hold {plan.holds[0].unit}: the image {image.name!r} boots with an initrd of its own,"
            " which does not read orders before systemd starts",
            hint="give its recipe `kernel:` and `init:` instead of an initrd",
        )
    snaps = {ref.file_name: _snap(ref, catalogue, workshop) for ref in plan.snaps}
    names = {ref.file_name: ref.entry for ref in plan.snaps}
    return Prepared(image, snaps, build_payload(snaps, workshop), names, bool(plan.holds))


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

    @contextmanager
    def machine(
        self,
        prepared: Prepared,
        directory: RunDirectory,
        record: Recorder,
        perturbation: Perturbation | None = None,
    ) -> Iterator[Machine]:
        """A started machine for the block; nothing of it is left afterwards but its run directory."""
        different = perturbation or Perturbation(0, 0)
        accelerator = self._accelerator(prepared.image)
        patience = Patience(accelerator.host_factor)
        with ExitStack() as stack:
            scratch = stack.enter_context(self._scratch(directory))
            keys = RunKeys.generate()
            initrd = scratch / "initrd"
            seed = make_seed(keys, delays=different.delays, orders=prepared.holds, witness=self.options.watch)
            initrd.write_bytes(_with_seed(prepared.image.initrd.read_bytes(), seed))
            orders = Orders(scratch / "orders") if prepared.holds else None
            overlay = create_overlay(prepared.image.disk, scratch / "disk.qcow2")
            spec = self._spec(prepared, accelerator, initrd, overlay, orders, directory, different)
            watch = BootWatch(record, ConsoleFollower(directory.console))
            watch.begin("the machine was started")
            instance = stack.enter_context(
                start(spec, directory.qemu_log, Deadline.after(_START_SECONDS), on_event=watch.on_event)
            )
            record.write(_started(self.options.qemu, accelerator))
            channel = instance.channel(WITNESS_PORT)
            witness = stack.enter_context(Witness(channel, record.hear, lambda: watch.number, record.clock))
            console = ConsoleFollower(directory.console)
            machine = Machine(instance, witness, console, watch, keys, patience, orders)
            stack.callback(machine.close)
            stack.enter_context(watch.watching(instance.death, machine.stop_waiting))
            yield machine

    @contextmanager
    def _scratch(self, directory: RunDirectory) -> Iterator[Path]:
        """Room for the disk and the keys, where the user wants runs to be; kept only when asked to."""
        if self.options.keep:
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

    def _spec(
        self,
        prepared: Prepared,
        accelerator: Accelerator,
        initrd: Path,
        overlay: Path,
        orders: Orders | None,
        directory: RunDirectory,
        different: Perturbation,
    ) -> MachineSpec:
        image, append = prepared.image, self.options.append
        traced = TRACE_FROM_START if self.options.watch else ""
        words = (f"root={image.root}", image.cmdline, traced, append, *different.kernel)
        return MachineSpec(
            name=directory.path.name,
            memory_mib=self.options.memory_mib,
            cpus=different.cpus or self.options.cpus,
            accelerator=accelerator.option,
            cpu_model=accelerator.cpu_model,
            boot=DirectKernel(prepared.image.kernel, initrd, " ".join(filter(None, words))),
            console=directory.console,
            disks=(
                Disk(path=overlay, serial="root", cache=cache_for(power_cuts=False)),
                Disk(path=prepared.payload, serial=PAYLOAD_SERIAL, format=DiskFormat.RAW, read_only=True),
                *([_orders_disk(orders)] if orders else []),
            ),
            nics=(
                Nic(mac=MANAGEMENT_MAC, subnet="10.0.2.0/24", forward_ssh=True),
                Nic(mac=SCENARIO_MAC, subnet="10.0.3.0/24"),
            ),
            channels=(Channel(WITNESS_PORT, directory.path / WITNESS_RAW),),
            program=self.options.qemu,
        )


def _orders_disk(orders: Orders) -> Disk:
    return Disk(path=orders.disk, serial=ORDERS_SERIAL, format=DiskFormat.RAW, read_only=True)


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


def _with_seed(initrd: bytes, seed: bytes) -> bytes:
    """The kernel unpacks archives one after the other, each beginning at a multiple of four bytes.

    Source: Documentation/driver-api/early-userspace/buffer-format.rst.
    """
    return initrd + bytes(-len(initrd) % 4) + seed
