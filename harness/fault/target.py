# SPDX-License-Identifier: GPL-3.0-only
"""What a fault needs of a machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from harness.guest.shell import Shell
from harness.host.deadline import Deadline, Patience
from harness.qemu.instance import Instance

Undo = Callable[[Deadline], int | None]
"""Puts right again what went wrong, until the deadline; how often it struck, where that is counted."""
Change = Callable[[Instance], None]
"""Does something to a QEMU."""


class Target(Protocol):
    """A machine that something can be made to go wrong with."""

    @property
    def patience(self) -> Patience:
        """Turns nominal seconds into this host's."""
        ...

    @property
    def boot(self) -> int:
        """The number of the boot that runs."""
        ...

    @property
    def shell(self) -> Shell:
        """Root's commands in this boot; raises GuestFailed where it takes none yet."""
        ...

    def afflict(self, begin: Change, end: Change) -> Callable[[], None]:
        """Do `begin` to the QEMU that runs and to each that is started later; the result does `end`."""
        ...

    def order(self, files: Mapping[str, bytes]) -> Callable[[], None]:
        """Have the guest find files, by their paths without the first slash, at the start of each later boot.

        The result ends that. Raises Mistake where the machine has no disk for orders, or it is full.
        """
        ...


def in_this_boot(target: Target, command: str) -> Undo:
    """Run a shell command, unless another boot runs by then: what it puts right has ended with its boot."""
    boot = target.boot

    def undo(deadline: Deadline) -> None:
        if target.boot == boot:
            target.shell.run(command, deadline)

    return undo
