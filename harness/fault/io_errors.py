# SPDX-License-Identifier: GPL-3.0-only
"""I/O errors: a node that fails requests is put between the root disk and its device, and taken out again."""

from __future__ import annotations

import errno

from harness.fault.root_disk import DEVICE, NODE
from harness.fault.target import Target, Undo
from harness.model.fault import Direction, IoErrors
from harness.qemu.instance import Instance

_ERRORS = "io-errors"


def apply(fault: IoErrors, target: Target) -> Undo:
    """Have the disk fail; in a QEMU that is started later too."""
    end = target.afflict(lambda qemu: _put_in(qemu, fault.fail), _take_out)
    return lambda _: end()


def _put_in(qemu: Instance, fail: Direction) -> None:
    # blkdebug's event "none" has happened once the node is there (QAPI, BlkdebugEvent).
    kind = "read" if fail is Direction.READS else "write"
    rule = {"event": "none", "iotype": kind, "errno": errno.EIO}
    node = {"driver": "blkdebug", "node-name": _ERRORS, "image": NODE, "inject-error": [rule]}
    qemu.execute("blockdev-add", node)
    _use(qemu, _ERRORS)


def _take_out(qemu: Instance) -> None:
    _use(qemu, NODE)
    qemu.execute("blockdev-del", {"node-name": _ERRORS})


def _use(qemu: Instance, node: str) -> None:
    qemu.execute("qom-set", {"path": DEVICE, "property": "drive", "value": node})
