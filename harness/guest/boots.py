# SPDX-License-Identifier: GPL-3.0-only
"""A reboot is a changed boot id; there is no way here to wait for one without the id of the boot before."""

from __future__ import annotations

from typing import NewType

from harness.errors import GuestFailed
from harness.guest.witness import Witness
from harness.host.deadline import Deadline

BootId = NewType("BootId", str)
"""The kernel's random name for one boot: /proc/sys/kernel/random/boot_id (random(4))."""


def await_first_boot(witness: Witness, deadline: Deadline) -> BootId:
    """The id of a machine's first boot, when it takes commands. Raises TimedOut or GuestFailed."""
    return _boot_id(witness.await_ready(None, deadline).boot_id)


def await_new_boot(witness: Witness, old: BootId, deadline: Deadline) -> BootId:
    """The id of the boot after `old`, when it takes commands. Raises TimedOut or GuestFailed."""
    return _boot_id(witness.await_ready(old, deadline).boot_id)


def _boot_id(text: str) -> BootId:
    if not text:
        raise GuestFailed("cannot tell one boot of the guest from another: its witness gave no boot id")
    return BootId(text)
