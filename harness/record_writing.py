# SPDX-License-Identifier: GPL-3.0-only
"""Writes the record of a run, line by line while it happens; nothing that is in a record is ever changed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from harness.errors import HostLacks, RecordUnusable
from harness.model import codec
from harness.model.clock import HostTime
from harness.model.event import Event, Recorded
from harness.model.plan import Plan
from harness.model.wire import Heard
from harness.record import EVENTS, PLAN, WITNESS


def plan_sha256(plan: Plan) -> str:
    """The digest that ties a record to its plan: sha256 of plan.json's line, in hex."""
    return hashlib.sha256(codec.dumps(plan).encode("ascii")).hexdigest()


class Recorder:
    """Appends to a new record; any thread may call it. `clock` gives the host time of each event.

    Every line is handed to the kernel before the call returns, so a killed harness leaves all but the
    line it was writing. Raises RecordUnusable when the directory holds a record already, and HostLacks
    when it cannot be written.
    """

    def __init__(self, directory: Path, clock: Callable[[], HostTime]) -> None:
        self._directory = directory
        self._clock = clock
        self._ahead = 0
        self._lock = threading.Lock()
        self._line = 0
        self._events = _create(directory / EVENTS)
        self._witness = _create(directory / WITNESS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write_plan(self, plan: Plan) -> None:
        """Write plan.json; once, before the first event."""
        with _create(self._directory / PLAN) as stream:
            _append(stream, codec.dumps(plan), PLAN)

    @property
    def lines(self) -> int:
        """How many events have been written."""
        return self._line

    def clock(self) -> HostTime:
        """The run's time now, which goes on from what `repeat` has written."""
        return HostTime(self._clock() + self._ahead)

    def write(self, event: Event) -> Recorded:
        """Append one event, stamped with the host's time, and return it with its place."""
        with self._lock:
            return self._write(event, self.clock())

    def repeat(self, event: Event, at: HostTime) -> None:
        """Append an event of another record, as of `at`; whatever is written later happened after it."""
        with self._lock:
            self._write(event, at)
            self._ahead += max(0, at - self.clock())

    def _write(self, event: Event, at: HostTime) -> Recorded:
        text = json.dumps({"at": at, "event": codec.encode(event)}, separators=(",", ":"), sort_keys=True)
        _append(self._events, text, EVENTS)
        self._line += 1
        return Recorded(self._line, at, event)

    def hear(self, heard: Heard) -> None:
        """Append a line from the witness, as the guest sent it."""
        with self._lock:
            _append(self._witness, codec.dumps(heard), WITNESS)

    def close(self) -> None:
        """Close the files; closing twice is allowed."""
        with self._lock:
            self._events.close()
            self._witness.close()


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except FileExistsError as error:
        raise RecordUnusable(
            f"cannot write a new record: {path.name} is already there", hint="use a new run directory"
        ) from error
    except OSError as error:
        raise HostLacks(f"cannot write the record: {path.name}: {error.strerror}") from error


def _append(stream: BinaryIO, line: str, name: str) -> None:
    try:
        stream.write(line.encode("ascii") + b"\n")
        stream.flush()
    except OSError as error:
        raise HostLacks(f"cannot write the record: {name}: {error.strerror}") from error
