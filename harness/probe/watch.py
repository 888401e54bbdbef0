# SPDX-License-Identifier: GPL-3.0-only
"""All sources of occurrences in one place: tells of them in lines, numbered within the boot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from .look import boot_id, guest_time
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

MOST_IN_A_LINE = 200
RETRY_SECONDS = 0.2
SECOND = 1_000_000_000
GRACE = 10 * SECOND
# How soon a source is read again follows what a reading costs: milliseconds where the guest is emulated, some
# ten microseconds elsewhere.
LEISURE = 20


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
    After a reading the source is left alone for LEISURE times what that took, `rest` seconds at most, unless
    it is urgent.
    """

    def __init__(self, name: str, open_it: Callable[[], Source | None], rest: float = 0.0) -> None:
        self.name = name
        self.source: Source | None = None
        self.is_waiting = True
        self._open_it = open_it
        self._read_at = guest_time()
        self._rest = int(rest * SECOND)
        self._rests_until = 0
        self._lost: list[JSON] = []

    @property
    def descriptors(self) -> list[int]:
        """What to wait for, once the time to rest has passed."""
        return self.source.descriptors if self.source and not self.rests else []

    @property
    def rests(self) -> float:
        """For how long it is left alone after a reading, in seconds, so that the next one finds more."""
        return max(self._rests_until - guest_time(), 0) / SECOND if self.source else 0.0

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
            self._let_rest(self.source.is_urgent)
            return said
        except OSError as error:
            lost = {"type": "lost", "since": before, "why": f"{self.name}: {error.strerror or error}"}
            self._lost = [{**lost, "at": self._read_at, "source": source} for source in self.source.since()]
            self.source.close()
            self.source, self.is_waiting = None, True
            return []

    def _let_rest(self, is_urgent: bool) -> None:
        ended = guest_time()
        self._rests_until = ended + min(self._rest, 0 if is_urgent else LEISURE * (ended - self._read_at))

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

    @property
    def descriptors(self) -> list[int]:
        """What to wait for."""
        return [descriptor for slot in self._slots for descriptor in slot.descriptors]

    @property
    def patience(self) -> float | None:
        """How long to wait for them at most, in seconds: until a source is to be tried or read again."""
        times = [rests for slot in self._slots if (rests := slot.rests)]
        times += [RETRY_SECONDS for slot in self._slots if slot.is_waiting][:1]
        return min(times, default=None)

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
        """Read the sources of these descriptors, and the most urgent again after each other one."""
        if not ready:
            return
        urgent = self._slots[0]
        occurred: list[JSON] = []
        for slot in self._slots:
            if not ready.isdisjoint(slot.descriptors):
                occurred += slot.read()
                occurred += urgent.read() if slot is not urgent else []
        self._tell(occurred)

    def _tell(self, occurred: list[JSON]) -> None:
        for start in range(0, len(occurred), MOST_IN_A_LINE):
            self._number += 1
            some = occurred[start : start + MOST_IN_A_LINE]
            line = {"type": "occurred", "boot_id": self._boot_id, "number": self._number}
            self._say({**line, "occurrences": some})
