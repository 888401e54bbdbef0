# SPDX-License-Identifier: GPL-3.0-only
"""All sources of occurrences in one place: tells of them in lines, numbered within the boot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .look import boot_id, guest_time

JSON = dict[str, Any]

MOST_IN_A_LINE = 200
RETRY_SECONDS = 0.2


class Source(Protocol):
    """Something to wait for and to read without blocking."""

    descriptors: list[int]

    def since(self) -> Mapping[str, int]:
        """From when on nothing is missed, for each of the words of `source` in WIRE.md that it is."""

    def read(self) -> list[JSON]:
        """What has happened since it was read last. Raises OSError when it has ended."""

    def close(self) -> None:
        """Let its descriptors go."""


class Slot:
    """A source that is open, or not yet, or given up.

    `open_it` returns None while there is nothing to open yet, and raises OSError when there will not be.
    """

    def __init__(self, name: str, open_it: Callable[[], Source | None]) -> None:
        self.name = name
        self.source: Source | None = None
        self.is_waiting = True
        self._open_it = open_it
        self._read_at = guest_time()

    def open(self) -> list[JSON]:
        """Try to open it; what to tell of that. Raises OSError when it is given up."""
        self.is_waiting = False
        self.source = self._open_it()
        self.is_waiting = self.source is None
        since = self.source.since() if self.source else {}
        return [{"type": "watching", "at": guest_time(), "source": s, "since": t} for s, t in since.items()]

    def read(self) -> list[JSON]:
        """What has happened. A source that has ended is closed, to be opened again."""
        if not self.source:
            return []
        before, self._read_at = self._read_at, guest_time()
        try:
            return self.source.read()
        except OSError as error:
            lost = {"at": guest_time(), "since": before, "why": f"{self.name}: {error.strerror or error}"}
            ended = [{"type": "lost", "source": source, **lost} for source in self.source.since()]
            self.source.close()
            self.source, self.is_waiting = None, True
            return ended


class Watch:
    """Opens sources and reads them; the order of `slots` is the order of urgency."""

    def __init__(self, say: Callable[[JSON], None], slots: list[Slot]) -> None:
        self._say = say
        self._slots = slots
        self._number = 0
        self._boot_id = boot_id()

    @property
    def descriptors(self) -> list[int]:
        """What to wait for."""
        return [d for slot in self._slots if slot.source for d in slot.source.descriptors]

    @property
    def patience(self) -> float | None:
        """How long to wait for them at most, in seconds: until a source is to be tried again."""
        return RETRY_SECONDS if any(slot.is_waiting for slot in self._slots) else None

    def open(self) -> None:
        """Open what is not open yet."""
        for slot in self._slots:
            if slot.is_waiting:
                try:
                    self._tell(slot.open())
                except OSError as error:
                    words = f"cannot watch {slot.name}: {error.strerror or error}"
                    self._say({"type": "trouble", "request": 0, "message": words})

    def read(self) -> None:
        """Read all sources, the most urgent again before each other one."""
        urgent = self._slots[0]
        occurred = urgent.read()
        for slot in self._slots[1:]:
            if slot.source:
                occurred += slot.read() + urgent.read()
        self._tell(occurred)

    def _tell(self, occurred: list[JSON]) -> None:
        for start in range(0, len(occurred), MOST_IN_A_LINE):
            self._number += 1
            some = occurred[start : start + MOST_IN_A_LINE]
            line = {"type": "occurred", "boot_id": self._boot_id, "number": self._number}
            self._say({**line, "occurrences": some})
