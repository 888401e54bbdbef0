# SPDX-License-Identifier: GPL-3.0-only
"""Ends holds: a held unit waits for a service of ours, whose shell reads one line from a fifo."""

from __future__ import annotations

import os

HOLDS = "/run/revert-safety/holds"
FIFO = ".fifo"


def holds_of_boot(directory: str = HOLDS) -> list[int]:
    """The numbers of the holds that this boot began with."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted(int(name.removesuffix(FIFO)) for name in names if name.endswith(FIFO))


class Holds:
    """Releases the holds of this boot."""

    def __init__(self, directory: str = HOLDS) -> None:
        self._directory = directory
        self._open: list[int] = []

    def release(self, hold: int) -> None:
        """Let what waits go on, and what does not wait yet not wait at all. Raises OSError for no such hold.

        The fifo keeps the line as long as it is open somewhere, so it stays open here; opened for both
        directions, it does not wait for a reader (fifo(7)).
        """
        path = os.path.join(self._directory, f"{hold}{FIFO}")
        fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._open.append(fifo)
        os.write(fifo, b"released\n")
