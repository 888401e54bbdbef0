# SPDX-License-Identifier: GPL-3.0-only
"""What the root disk of a machine is called to QEMU."""

from __future__ import annotations

from harness.qemu.command import block_device, block_node

DEVICE = f"/machine/peripheral/{block_device(0)}/virtio-backend"
"""The QOM path of what has the disk's node: of a virtio-blk-pci device that is its child."""
NODE = block_node(0)
