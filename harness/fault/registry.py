# SPDX-License-Identifier: GPL-3.0-only
"""Which module does which fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.fault import (
    compilers,
    frozen,
    full_disk,
    io_errors,
    killed,
    late_snapd,
    link_down,
    slow_disk,
)
from harness.fault.target import Target, Undo
from harness.host.deadline import Deadline
from harness.model.fault import (
    SNAPD,
    Dying,
    Failing,
    Fault,
    Frozen,
    FullDisk,
    IoErrors,
    Killed,
    LinkDown,
    Slow,
    SlowDisk,
)

UNDO_SECONDS = 60.0  # nominal


def apply(fault: Fault, target: Target, deadline: Deadline) -> Undo:
    """Make something go wrong with a machine; the result puts it right again.

    Raises CannotMeasure when it cannot be done: the guest has failed, or lacks what it takes.
    """
    match fault:
        case FullDisk():
            return full_disk.apply(target, deadline)
        case SlowDisk():
            return slow_disk.apply(fault, target)
        case IoErrors():
            return io_errors.apply(fault, target)
        case LinkDown():
            return link_down.apply(fault, target)
        case Frozen():
            return frozen.apply(target, deadline)
        case Killed():
            return killed.apply(target, deadline)
        case Slow(program=program) if program == SNAPD:
            return late_snapd.apply(fault, target, deadline)
        case Slow() | Failing() | Dying():
            return compilers.apply(fault, target, deadline)


@contextmanager
def applied(fault: Fault, target: Target, deadline: Deadline) -> Iterator[None]:
    """Within the block something has gone wrong with the machine; raises as `apply` does."""
    undo = apply(fault, target, deadline)
    try:
        yield
    finally:
        undo(target.patience.deadline(UNDO_SECONDS))
