# SPDX-License-Identifier: GPL-3.0-only
"""The events of a machine, kept in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MachineEvent:
    """A QMP event and when it reached the host, in nanoseconds of the monotonic clock."""

    name: str
    data: Mapping[str, object]
    at_ns: int


class EventLog:
    """The events of an instance, written by the monitor's thread and read by any."""

    def __init__(self, on_event: Callable[[MachineEvent], None]) -> None:
        self._events: list[MachineEvent] = []
        self._lock = threading.Lock()
        self._on_event = on_event

    def add(self, event: MachineEvent) -> None:
        with self._lock:
            self._events.append(event)
        self._on_event(event)

    def all(self) -> tuple[MachineEvent, ...]:
        with self._lock:
            return tuple(self._events)
