# SPDX-License-Identifier: GPL-3.0-only
"""What a lab is told, and the QEMU that it makes of that for one plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.guest.orders import ORDERS_SERIAL
from harness.guest.seed import MANAGEMENT_MAC, SCENARIO_MAC
from harness.host.rundir import RunDirectory
from harness.image.build import Image
from harness.image.starts import Start
from harness.machine_changes import PAYLOAD_SERIAL
from harness.model.change import change_of
from harness.model.fault import SNAPD, Slow
from harness.model.occurrence import Held, Occurrence
from harness.model.plan import HoldUnit, InstallSnap, Plan, PlannedStep
from harness.model.point import Point, TimePassed, is_reached
from harness.model.repeat import Perturbation
from harness.model.scenario import MachineOptions, RebootHow
from harness.model.wire import WITNESS_PORT
from harness.qemu.accel import Accelerator
from harness.qemu.command import PROGRAM, Channel, DirectKernel, Disk, DiskFormat, MachineSpec, Nic

WITNESS_RAW = "witness.raw"
# What the witness reads later, kept from the kernel's own start: every program executed and every process
# forked, some 100 bytes each, in a buffer for each CPU (Documentation/admin-guide/kernel-parameters.txt).
TRACE_FROM_START = (
    "trace_event=sched:sched_process_exec,sched:sched_process_fork trace_buf_size=1M trace_clock=boot"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """Where a lab finds and leaves things.

    `accelerator` is `auto`, `kvm` or `tcg`; `append` goes onto the guest kernel's command line;
    with `one_thread` an emulated guest's CPUs share one thread of QEMU (harness.qemu.versions.ONE_THREAD);
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
    one_thread: bool = False
    qemu: str = PROGRAM
    keep: bool = False
    append: str = ""
    memory_mib: int = 1536
    cpus: int = 2
    watch: bool = True


@dataclass(frozen=True, slots=True)
class AfterCut:
    """A disk as a cut left it, a qcow2 that nobody writes, to go on from as from a start.

    `made` is what the machine's real-time clock shows when power is back (UTC): nothing on the disk is from
    after that. `recording` is the directory of the run that was cut.
    """

    disk: Path
    made: str
    recording: Path
    bytecode: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leaves:
    """What a machine leaves that makes a start: its disk, and when it `holds` a unit that unit held."""

    disk: Path
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Wants:
    """What a plan wants of its machine from the first step on: not in the start, which others share.

    `panics` and `power_cuts` say that it ends boots so, `points` what it waits for, `swept` that what is
    written to its disk is kept. `holds_before` is what is held when its start ends.
    """

    machine: MachineOptions = field(default_factory=MachineOptions)
    panics: bool = False
    power_cuts: bool = False
    points: tuple[Point, ...] = ()
    swept: bool = False
    holds_before: tuple[HoldUnit, ...] = ()

    @property
    def kernel(self) -> tuple[str, ...]:
        """Words for the kernel's command line: the host makes a guest panic by an interrupt."""
        return ("unknown_nmi_panic",) if self.panics else ()

    def is_awaited(self, occurrence: Occurrence) -> bool:
        """Whether a step of the plan may wait for this."""
        if isinstance(occurrence, Held):
            return True
        points = (point for point in self.points if not isinstance(point, TimePassed))
        return any(is_reached(point, occurrence) for point in points)


def wants_of(plan: Plan) -> Wants:
    """What a plan wants of its machine."""
    panics, cuts = plan.reboots(RebootHow.PANIC), plan.reboots(RebootHow.POWER_CUT)
    held = tuple(step.action for step in plan.start if isinstance(step.action, HoldUnit))
    return Wants(plan.machine, panics, cuts, plan.points, plan.sweep is not None, held)


def first_order(plan: Plan) -> str:
    """What the guest must be told before systemd starts, or an empty text: that takes a disk for orders."""
    late = (f"delay {f.program}" for f in plan.faults if isinstance(f, Slow) and f.program == SNAPD)
    return next(iter((*(f"hold {hold.unit}" for hold in plan.holds), *late)), "")


def installed_files(steps: Iterable[PlannedStep]) -> frozenset[str]:
    """The names of the snap files that the steps install, also as a change that they only begin."""
    changes = (change_of(step.action) for step in steps)
    return frozenset(each.ref.file_name for each in changes if isinstance(each, InstallSnap))


@dataclass(frozen=True, slots=True)
class Files:
    """Where a machine's files are; `orders` is None where the guest is given none."""

    run: RunDirectory
    initrd: Path
    disk: Disk
    payload: Path
    orders: Path | None = None


def machine_spec(
    options: LabOptions,
    image: Image,
    accelerator: Accelerator,
    files: Files,
    different: Perturbation,
    start: Start | AfterCut | None,
    wants: Wants,
) -> MachineSpec:
    """The QEMU of a machine. After a start its clock goes on from there, however long ago that was."""
    # What the clock showed at a cut was set back already.
    back = 0.0 if isinstance(start, AfterCut) else wants.machine.clock_back
    traced = TRACE_FROM_START if options.watch else ""
    words = (f"root={image.root}", image.cmdline, traced, options.append, *different.kernel, *wants.kernel)
    orders = (_read_only(files.orders, ORDERS_SERIAL),) if files.orders else ()
    return MachineSpec(
        name=files.run.path.name,
        memory_mib=wants.machine.memory_mib or options.memory_mib,
        cpus=different.cpus or wants.machine.cpus or options.cpus,
        accelerator=accelerator.option,
        cpu_model=accelerator.cpu_model,
        boot=DirectKernel(image.kernel, files.initrd, " ".join(filter(None, words))),
        console=files.run.console,
        disks=(
            files.disk,
            _read_only(files.payload, PAYLOAD_SERIAL),
            *orders,
        ),
        nics=(
            Nic(mac=MANAGEMENT_MAC, subnet="10.0.2.0/24", forward_ssh=True),
            Nic(mac=SCENARIO_MAC, subnet="10.0.3.0/24"),
        ),
        channels=(Channel(WITNESS_PORT, files.run.path / WITNESS_RAW),),
        program=options.qemu,
        clock=_clock(start, back),
    )


def _clock(start: Start | AfterCut | None, back: float) -> str:
    if not back:
        return start.made.removesuffix("Z") if start else "utc"
    now = datetime.fromisoformat(start.made) if start else datetime.now(UTC)
    return (now - timedelta(seconds=back)).strftime("%Y-%m-%dT%H:%M:%S")


def _read_only(path: Path, serial: str) -> Disk:
    return Disk(path=path, serial=serial, format=DiskFormat.RAW, read_only=True)


def with_seed(initrd: bytes, seed: bytes) -> bytes:
    """The kernel unpacks archives one after the other, each beginning at a multiple of four bytes.

    Source: Documentation/driver-api/early-userspace/buffer-format.rst.
    """
    return initrd + bytes(-len(initrd) % 4) + seed
