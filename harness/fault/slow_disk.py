# SPDX-License-Identifier: GPL-3.0-only
"""A slow disk: QEMU keeps the requests of the root disk below a rate."""

from __future__ import annotations

from harness.fault.root_disk import DEVICE
from harness.fault.target import Target, Undo
from harness.model.fault import SlowDisk
from harness.qemu.instance import Instance


def apply(fault: SlowDisk, target: Target) -> Undo:
    """Bound the disk; in a QEMU that is started later too."""
    end = target.afflict(lambda qemu: _bound(qemu, fault), lambda qemu: _bound(qemu, SlowDisk()))
    return lambda _: end()


def _bound(qemu: Instance, to: SlowDisk) -> None:
    apart = {"bps_rd": 0, "bps_wr": 0, "iops_rd": 0, "iops_wr": 0}
    bounds = {"id": DEVICE, "bps": to.bps, "iops": to.iops, **apart}
    qemu.execute("block_set_io_throttle", bounds)
