# SPDX-License-Identifier: GPL-3.0-only
"""What a lab is told, and the QEMU that it makes of that for one plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.guest.orders import ORDERS_SERIAL
from harness.guest.seed import MANAGEMENT_MAC, SCENARIO_MAC
from harness.host.rundir import RunDirectory
from harness.image.build import Image
from harness.image.starts import Start
from harness.machine import PAYLOAD_SERIAL
from harness.model.repeat import Perturbation
from harness.model.wire import WITNESS_PORT
from harness.qemu.accel import Accelerator
from harness.qemu.command import PROGRAM, Channel, DirectKernel, Disk, DiskFormat, MachineSpec, Nic
from harness.qemu.disk import cache_for

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
class Files:
    """Where a machine's files are; `orders` is None where no unit is to be held."""

    run: RunDirectory
    initrd: Path
    disk: Path
    payload: Path
    orders: Path | None = None


def machine_spec(
    options: LabOptions,
    image: Image,
    accelerator: Accelerator,
    files: Files,
    different: Perturbation,
    start: Start | None,
) -> MachineSpec:
    """The QEMU of a machine. After a start its clock goes on from there, however long ago that was."""
    traced = TRACE_FROM_START if options.watch else ""
    words = (f"root={image.root}", image.cmdline, traced, options.append, *different.kernel)
    orders = (_read_only(files.orders, ORDERS_SERIAL),) if files.orders else ()
    return MachineSpec(
        name=files.run.path.name,
        memory_mib=options.memory_mib,
        cpus=different.cpus or options.cpus,
        accelerator=accelerator.option,
        cpu_model=accelerator.cpu_model,
        boot=DirectKernel(image.kernel, files.initrd, " ".join(filter(None, words))),
        console=files.run.console,
        disks=(
            Disk(path=files.disk, serial="root", cache=cache_for(power_cuts=False)),
            _read_only(files.payload, PAYLOAD_SERIAL),
            *orders,
        ),
        nics=(
            Nic(mac=MANAGEMENT_MAC, subnet="10.0.2.0/24", forward_ssh=True),
            Nic(mac=SCENARIO_MAC, subnet="10.0.3.0/24"),
        ),
        channels=(Channel(WITNESS_PORT, files.run.path / WITNESS_RAW),),
        program=options.qemu,
        clock=start.made.removesuffix("Z") if start else "utc",
    )


def _read_only(path: Path, serial: str) -> Disk:
    return Disk(path=path, serial=serial, format=DiskFormat.RAW, read_only=True)


def with_seed(initrd: bytes, seed: bytes) -> bytes:
    """The kernel unpacks archives one after the other, each beginning at a multiple of four bytes.

    Source: Documentation/driver-api/early-userspace/buffer-format.rst.
    """
    return initrd + bytes(-len(initrd) % 4) + seed
