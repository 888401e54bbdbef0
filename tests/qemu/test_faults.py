# SPDX-License-Identifier: GPL-3.0-only
"""Faults done to a real QEMU: its disk is slow or fails, its cable is out, and all is well afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.fault import applied
from harness.host.deadline import Deadline, Patience, monotonic
from harness.host.process import run
from harness.model.fault import Direction, Fault, IoErrors, LinkDown, SlowDisk
from harness.qemu.command import CacheMode, Disk
from harness.qemu.instance import Instance, start
from harness.qemu.monitor import CommandRefused
from tests.qemu.conftest import MakeSpec
from tests.qemu.test_power import DEVICE, answers, ask

pytestmark = pytest.mark.qemu


class HostOnly:
    """As much of a machine as faults of the host need."""

    patience = Patience()
    boot = 1

    def __init__(self, qemu: Instance) -> None:
        self._qemu = qemu

    @property
    def shell(self) -> Any:
        raise AssertionError("the guest is not needed for this")

    def order(self, files: Any) -> Any:
        raise AssertionError(f"the guest is not needed for this, and not given {files}")

    def afflict(self, begin: Any, end: Any) -> Any:
        begin(self._qemu)
        return lambda: end(self._qemu)


@pytest.fixture
def qemu(make_spec: MakeSpec, tmp_path: Path) -> Iterator[Instance]:
    disk = tmp_path / "disk.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"])
    spec = replace(make_spec(), disks=(Disk(path=disk, serial="root", cache=CacheMode.UNSAFE),))
    with start(spec, tmp_path / "qemu.log", Deadline.after(30)) as running:
        yield running


@contextmanager
def going_wrong(fault: Fault, qemu: Instance) -> Iterator[None]:
    with applied(fault, HostOnly(qemu), Deadline.after(30)):
        yield


def bounds(qemu: Instance) -> tuple[int, int]:
    """The requests and bytes a second that QEMU keeps the disk to."""
    blocks = qemu.execute("query-block")
    assert isinstance(blocks, list)
    (disk,) = (block["inserted"] for block in blocks if block["qdev"] == DEVICE)
    return disk["iops"], disk["bps"]


@pytest.mark.parametrize("slow", [SlowDisk(iops=4), SlowDisk(bps=256 * 1024)])
def test_a_slow_disk_is_as_slow_as_was_asked_for(qemu: Instance, slow: SlowDisk) -> None:
    began = monotonic()
    with going_wrong(slow, qemu):
        assert bounds(qemu) == (slow.iops, slow.bps)
        for number in range(8):
            ask(qemu, f"write {64 * number}k 64k")
    # 8 requests at 4 a second, 512 KiB at 256 KiB a second; a burst of a tenth of a second passes first.
    assert monotonic() - began > 1.2
    assert bounds(qemu) == (0, 0)
    assert answers(qemu) == ["wrote 65536/65536"] * 8


@pytest.mark.parametrize(
    ("fail", "read", "written"),
    [
        (Direction.WRITES, "read 65536/65536", "write failed: Input/output error"),
        (Direction.READS, "read failed: Input/output error", "wrote 65536/65536"),
    ],
)
def test_one_direction_fails_each_time_and_the_other_does_not(
    qemu: Instance, fail: Direction, read: str, written: str
) -> None:
    with going_wrong(IoErrors(fail), qemu):
        for _ in range(2):
            ask(qemu, "write 0 64k")
            ask(qemu, "read 0 64k")
    ask(qemu, "write 0 64k")
    ask(qemu, "read 0 64k")
    assert answers(qemu) == [written, read, written, read, "wrote 65536/65536", "read 65536/65536"]


def test_it_can_go_wrong_again_and_two_ways_at_once(qemu: Instance) -> None:
    for _ in range(2):
        with going_wrong(SlowDisk(iops=1000), qemu), going_wrong(IoErrors(Direction.WRITES), qemu):
            ask(qemu, "write 0 64k")
    ask(qemu, "write 0 64k")
    failed = "write failed: Input/output error"
    assert answers(qemu) == [failed, failed, "wrote 65536/65536"]


def test_a_cable_can_be_out_twice(qemu: Instance) -> None:
    for _ in range(2):
        with going_wrong(LinkDown("eth1"), qemu):
            pass
    assert qemu.alive


def test_a_cable_that_is_not_there_is_not_pulled(qemu: Instance) -> None:
    with pytest.raises(CommandRefused, match="net7"), going_wrong(LinkDown("eth7"), qemu):
        pass
