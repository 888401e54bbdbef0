# SPDX-License-Identifier: GPL-3.0-only
"""A network cable that is out: the guest's interface loses its carrier."""

from __future__ import annotations

from harness.fault.target import Target, Undo
from harness.model.fault import LinkDown
from harness.qemu.command import network
from harness.qemu.instance import Instance


def apply(fault: LinkDown, target: Target) -> Undo:
    """Pull the cable; in a QEMU that is started later it is out too."""
    # The kernel's own names (net.ifnames=0) number the interfaces in QEMU's order.
    name = network(int(fault.interface.removeprefix("eth")))
    end = target.afflict(lambda qemu: _set(qemu, name, up=False), lambda qemu: _set(qemu, name, up=True))
    return lambda _: end()


def _set(qemu: Instance, name: str, *, up: bool) -> None:
    qemu.execute("set_link", {"name": name, "up": up})
