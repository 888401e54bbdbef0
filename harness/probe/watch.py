# SPDX-License-Identifier: GPL-3.0-only
"""All sources of occurrences in one place: tells of them in lines, numbered within the boot."""

from __future__ import annotations

import select

from .clock import boot_id, guest_time
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet
    from typing import Protocol
else:
    Protocol = object

MOST_IN_A_LINE = 200
SECOND = 1_000_000_000
RETRY = SECOND
GRACE = 10 * SECOND
# How soon a source is read again follows what a reading costs: milliseconds where the guest is emulated, some
# ten microseconds elsewhere. There the ticks are the same for all sources, so that one waking-up serves many.
LEISURE = 100
URGENT_SECONDS = 0.2


class Source(Protocol):
    """Something to wait for and to read without blocking."""

    descriptors: list[int]

    @property
    def is_urgent(self) -> bool:
        """Whether what it tells of next must be read at once."""

    def since(self) -> Mapping[str, int]:
        """From when on nothing is missed, for each of the words of `source` in WIRE.md that it is."""

    def read(self) -> list[JSON]:
        """What has happened since it was read last. Raises OSError when it has ended."""

    def close(self) -> None:
        """Let its descriptors go."""


class Slot:
    """A source that is open, or not yet, or given up.

    `open_it` returns None while there is nothing to open yet, and raises OSError when there will not be.
    After a reading the source is left alone for LEISURE times what that took, at most `soon` seconds when it
    told of something and at most `later` when not, unless it is urgent. One that does not wake the witness
    for all that it has is read every `interval` seconds as well, and while it is urgent every URGENT_SECONDS.
    """

    def __init__(
        self,
        name: str,
        open_it: Callable[[], Source | None],
        soon: float = 0.0,
        later: float = 0.0,
        interval: float | None = None,
    ) -> None:
        self.name = name
        self.source: Source | None = None
        self.is_waiting = True
        self._open_it = open_it
        self._read_at = guest_time()
        self._soon = int(soon * SECOND)
        self._later = int(later * SECOND)
        self._interval = interval
        self._rests_until = 0
        self._lost: list[JSON] = []

    def awaited(self, now: int) -> tuple[list[int], int]:
        """What to wait for, and the time at which to look again at the latest (0: any)."""
        if not self.source:
            return [], now + RETRY if self.is_waiting else 0
        if now < self._rests_until:
            return [], self._rests_until
        return self.source.descriptors, self.due

    @property
    def due(self) -> int:
        """When it is to be read though nothing wakes the witness; 0: never."""
        if self._interval is None or not self.source:
            return 0
        interval = URGENT_SECONDS if self.source.is_urgent else self._interval
        return self._read_at + int(interval * SECOND)

    @property
    def has_something(self) -> bool:
        """Whether there is something to read at this moment."""
        return bool(self.source and select.select(self.source.descriptors, [], [], 0)[0])

    def open(self) -> list[JSON]:
        """Try to open it; what to tell of that. Raises OSError when it is given up."""
        self.is_waiting = False
        self.source = self._open_it()
        self.is_waiting = self.source is None
        since = self.source.since() if self.source else {}
        begun = [{"type": "watching", "at": guest_time(), "source": s, "since": t} for s, t in since.items()]
        return self._told_lost() + begun

    def read(self) -> list[JSON]:
        """What has happened. A source that has ended is closed, to be opened again."""
        if not self.source:
            return []
        before, self._read_at = self._read_at, guest_time()
        try:
            said = self.source.read()
            self._let_rest(self._soon if said else self._later)
            return said
        except OSError as error:
            lost = {"type": "lost", "since": before, "why": f"{self.name}: {error.strerror or error}"}
            self._lost = [{**lost, "at": self._read_at, "source": source} for source in self.source.since()]
            self.source.close()
            self.source, self.is_waiting = None, True
            return []

    def _let_rest(self, most: int) -> None:
        """Until a whole multiple of the time, so that sources that rest alike are read together."""
        ended = guest_time()
        left = 0 if not most or (self.source and self.source.is_urgent) else most - ended % most
        self._rests_until = ended + min(left, LEISURE * (ended - self._read_at))

    def _told_lost(self) -> list[JSON]:
        """What was lost by an end, when there is a new beginning or it is clear that there will be none soon.

        At a shutdown PID 1 hangs up, and nothing is lost; it ends all processes moments later.
        """
        if not self.source and guest_time() < self._read_at + GRACE:
            return []
        lost, self._lost = self._lost, []
        return lost


class Watch:
    """Opens sources and reads them; the order of `slots` is the order of urgency."""

    def __init__(self, say: Callable[[JSON], None], slots: list[Slot]) -> None:
        self._say = say
        self._slots = slots
        self._number = 0
        self._boot_id = boot_id()

    @property
    def told(self) -> int:
        """How many lines it has said in this boot."""
        return self._number

    def awaited(self) -> tuple[list[int], float | None]:
        """What to wait for, and for how many seconds at most: until a source is to be tried or read again."""
        now = guest_time()
        descriptors: list[int] = []
        earliest = 0
        for slot in self._slots:
            found, at = slot.awaited(now)
            descriptors += found
            if at and (not earliest or at < earliest):
                earliest = at
        return descriptors, max(earliest - now, 0) / SECOND if earliest else None

    def open(self) -> None:
        """Open what is not open yet."""
        for slot in self._slots:
            if slot.is_waiting:
                try:
                    self._tell(slot.open())
                except OSError as error:
                    words = f"cannot watch {slot.name}: {error.strerror or error}"
                    self._say({"type": "trouble", "request": 0, "message": words})

    def read(self, ready: AbstractSet[int]) -> None:
        """Read the sources of these descriptors, and the most urgent also after each other one."""
        occurred: list[JSON] = []
        now = guest_time()
        for slot in self._slots:
            if 0 < slot.due <= now or (
                ready and slot.source and not ready.isdisjoint(slot.source.descriptors)
            ):
                occurred += slot.read()
                urgent = self._slots[0]
                occurred += urgent.read() if slot is not urgent and urgent.has_something else []
        self._tell(occurred)

    def read_all(self) -> None:
        """Read every source, whether it rests or not."""
        self._tell([one for slot in self._slots for one in slot.read()])

    def _tell(self, occurred: list[JSON]) -> None:
        for start in range(0, len(occurred), MOST_IN_A_LINE):
            self._number += 1
            some = occurred[start : start + MOST_IN_A_LINE]
            line = {"type": "occurred", "boot_id": self._boot_id, "number": self._number}
            self._say({**line, "occurrences": some})
