# SPDX-License-Identifier: GPL-3.0-only
"""`harness doctor`: what this host has and lacks, and what brings it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.errors import CannotMeasure, HarnessError
from harness.host.deadline import Deadline, NotYet, wait_until
from harness.host.facts import CpuTimes, HostFacts, read_cpu_times, read_host_facts
from harness.host.process import run
from harness.host.programs import PACKAGES, find_program
from harness.image.store import default_root, free_bytes
from harness.qemu.accel import choose
from harness.qemu.versions import distrust_of, read_version

NEEDED_MIB = 6144  # an image, four cores, the snaps and a build at work
MEMORY_MIB = 2048  # a guest of 1536 MiB and QEMU's own
STEAL_TICKS = 100  # of all CPUs together: half a second or so


class Health(StrEnum):
    """How a host stands in one respect."""

    OK = "ok"
    NOTE = "note"  # runs will work; a time may be longer or a version distrusted
    LACKS = "lacks"


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the doctor's."""

    health: Health
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.health:<6} {self.about:<16} {self.text}"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where images, cores and snaps are kept")
    parser.add_argument("--qemu", default="qemu-system-x86_64", metavar="PROGRAM", help="the QEMU to use")


def carry_out(arguments: argparse.Namespace) -> int:
    """Exit code 0 when scenarios can be run here, 3 when something is lacking."""
    cache = arguments.cache or default_root()
    lacking = 0
    for said in examine(cache, arguments.qemu):
        print(said, flush=True)
        lacking += said.health is Health.LACKS
    return 3 if lacking else 0


def examine(cache: Path, qemu: str) -> Iterator[Said]:
    """Everything that is looked at, one after the other."""
    facts = read_host_facts()
    yield from _programs()
    yield from _qemu(qemu)
    yield _kvm_device(facts)
    yield _accelerator(cache, qemu)
    yield _space(cache)
    yield _memory(facts)
    yield _steal()
    yield _namespaces()


def _programs() -> Iterator[Said]:
    missing = [name for name in PACKAGES if find_program(name) is None]
    if not missing:
        yield Said(Health.OK, "programs", f"all {len(PACKAGES)} are here")
    for name in missing:
        yield Said(Health.LACKS, "programs", f"{name}: apt-get install {PACKAGES[name]}")


def _qemu(program: str) -> Iterator[Said]:
    try:
        version = read_version(program)
    except HarnessError as error:
        yield Said(Health.LACKS, "qemu", error.message.splitlines()[0])
        return
    yield Said(Health.OK, "qemu", version.text)
    for row in distrust_of(version):
        yield Said(Health.NOTE, "qemu", f"{row.fault}; the harness's answer: {row.answer}; {row.better}")


def _kvm_device(facts: HostFacts) -> Said:
    return Said(
        Health.OK,
        "cpu",
        f"{facts.cpus} of {facts.cpu}, /dev/kvm {'is there' if facts.kvm_device else 'absent'}",
    )


def _accelerator(cache: Path, qemu: str) -> Said:
    """By micro-boot of an image's kernel; nothing short of booting one is evidence."""
    image = next(iter(sorted(cache.glob("images/*/initrd"))), None)
    if image is None:
        return Said(Health.NOTE, "accelerator", "not tried: no image is built yet (harness build)")
    try:
        found = choose(image.with_name("vmlinuz"), image, cache, program=qemu)
    except HarnessError as error:
        return Said(Health.LACKS, "accelerator", error.message.splitlines()[0])
    slow = f"time-outs scaled by {max(1.0, found.host_factor):g}"
    return Said(
        Health.OK, "accelerator", f"{found.option} with CPU model {found.cpu_model}, {slow}: {found.why}"
    )


def _space(cache: Path) -> Said:
    there = next(path for path in (cache, *cache.parents) if path.exists())
    free = free_bytes(there) >> 20
    health = Health.OK if free >= NEEDED_MIB else Health.LACKS
    return Said(health, "disk", f"{free} MiB free for {cache}; {NEEDED_MIB} MiB hold all that is built")


def _memory(facts: HostFacts) -> Said:
    health = Health.OK if facts.available_mib >= MEMORY_MIB else Health.LACKS
    return Said(
        health,
        "memory",
        f"{facts.available_mib} of {facts.memory_mib} MiB available; a machine takes {MEMORY_MIB}",
    )


def _steal() -> Said:
    """Time that the hypervisor gives to others: no load figure shows it."""
    share = wait_until(_steal_since(read_cpu_times()), Deadline.after(10), what="CPU time to pass").share
    health = Health.NOTE if share > 0.1 else Health.OK
    return Said(
        health, "steal", f"{share:.0%} of the CPU time just now went to other machines of this host's host"
    )


@dataclass(frozen=True, slots=True)
class _Steal:
    share: float


def _steal_since(before: CpuTimes) -> Callable[[], _Steal | NotYet]:
    def look() -> _Steal | NotYet:
        now = read_cpu_times()
        passed = now.total - before.total
        return _Steal(now.steal_share_since(before)) if passed >= STEAL_TICKS else NotYet(f"{passed} ticks")

    return look


def _namespaces() -> Said:
    """Building without root needs user namespaces with more than one user in them."""
    if os.geteuid() == 0:
        return Said(Health.OK, "user namespaces", "not needed: this is root")
    try:
        run(["unshare", "--map-auto", "--map-root-user", "true"], timeout=20)
    except CannotMeasure as error:
        return Said(
            Health.NOTE,
            "user namespaces",
            f"not usable, so images must be built as root: {error.message.splitlines()[-1]}",
        )
    return Said(Health.OK, "user namespaces", "usable: images can be built without root")
