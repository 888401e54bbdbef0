# SPDX-License-Identifier: GPL-3.0-only
"""The sources `execs`, `filters` and `starts`: the kernel's trace, understood."""

from __future__ import annotations

import os

from . import trace
from .bell import Bell
from .execs import Execs
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Who opens it has what the kernel kept since its start; a second witness of the same boot has not.
TAKEN = "/run/revert-safety/trace-taken"


class TraceWatch:
    """Reads the trace of this kernel. Raises OSError when there is none to be had."""

    def __init__(self, now: Callable[[], int], taken: str = TAKEN) -> None:
        top = trace.mount()
        self._trace = trace.Trace(top, now, from_start=trace.is_from_start() and _is_first(taken))
        self._execs = Execs(now)
        self._now = now
        self._seen_until = 0
        self._bell = _bell(top)
        self.descriptors = self._bell.descriptors if self._bell else self._trace.descriptors

    @property
    def is_urgent(self) -> bool:
        """Whether a service is about to be executed: how it is confined can be read only while it lives."""
        return self._execs.is_launching

    def since(self) -> dict[str, int]:
        """When each source began."""
        # A start is read when it happens, and so not before there is someone to read it.
        found = {"execs": self._trace.execs_since, "starts": self._now()}
        if self._trace.filters_since is not None:
            found["filters"] = self._trace.filters_since
        return found

    def read(self) -> list[JSON]:
        """What has happened since."""
        before, self._seen_until = self._seen_until, self._now()
        if self._bell:
            self._bell.silence()  # before the trace is read: what comes meanwhile rings again
        events, missed = self._trace.read()
        said = self._execs.understand(events)
        if missed:
            lost = {
                "type": "lost",
                "at": self._now(),
                "since": before,
                "why": "the trace's buffer overflowed",
            }
            said += [{**lost, "source": source} for source in self.since()]
        return said

    def close(self) -> None:
        """Let the buffers go; the kernel goes on recording."""
        for descriptor in {*self.descriptors, *self._trace.descriptors}:
            os.close(descriptor)


def _bell(top: str) -> Bell | None:
    """None where every event has to wake the witness."""
    try:
        return Bell(top)
    except OSError:
        return None


def _is_first(marker: str) -> bool:
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError:
        return False
    return True
