# SPDX-License-Identifier: GPL-3.0-only
"""Wakes the witness when a program is executed that must be read while its process lives, and for no other.

A trace instance of its own (Documentation/trace/ftrace.rst, "Instances"), in which the kernel records the
executions whose path a filter knows. What it holds is thrown away: the trace itself holds it too, in order
with everything else, and is read whenever the bell has rung.
"""

from __future__ import annotations

import os

from .ringbuffer import PAGE_SIZE, open_buffers

INSTANCE = "instances/revert-safety"
EVENT = "events/sched/sched_process_exec"
# What belongs to snapd or to a snap; what fexecve(3) gives to the kernel, as which snap-confine executes
# snap-update-ns; and the loader of profiles. A launcher is a process from `snap` to the snap's own program.
PATHS = ("/snap/*", "*/snap*", "/dev/fd/*", "/proc/self/fd/*", "*/apparmor_parser")
SIZE_KIB = "16"


class Bell:
    """Rings below `top`, a mounted tracefs. Raises OSError when this kernel cannot have it."""

    def __init__(self, top: str) -> None:
        place = f"{top}/{INSTANCE}"
        os.makedirs(place, exist_ok=True)  # it outlives a witness that ended
        wanted = " || ".join(f'filename ~ "{path}"' for path in PATHS)
        _write(f"{place}/buffer_size_kb", SIZE_KIB)
        _write(f"{place}/buffer_percent", "0")  # else a reader is woken when half of a buffer is full
        _write(f"{place}/{EVENT}/filter", wanted)
        _write(f"{place}/{EVENT}/enable", "1")
        self.descriptors = open_buffers(place)

    def silence(self) -> None:
        """Forget that it has rung."""
        for descriptor in self.descriptors:
            try:
                while os.read(descriptor, PAGE_SIZE):
                    continue
            except BlockingIOError:
                continue


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
