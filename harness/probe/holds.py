# SPDX-License-Identifier: GPL-3.0-only
"""Ends holds: a held unit waits for a service of ours, whose shell reads one line from a fifo."""

from __future__ import annotations

import os

HOLDS = "/run/revert-safety/holds"


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
        fifo = os.open(
            os.path.join(self._directory, f"{hold}.fifo"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
        )
        self._open.append(fifo)
        os.write(fifo, b"released\n")
