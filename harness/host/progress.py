# SPDX-License-Identifier: GPL-3.0-only
"""Tells people what a run does, how far it is, and what it waits for when that takes long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.host.deadline import monotonic

Tell = Callable[[str], None]

SPEAK_EVERY = 30.0  # seconds without a line after which a step says that it still runs


class Progress:
    """Lines such as ``[ 61.3 s] 7/24 refresh core to 2.68.3`` on `tell`."""

    def __init__(self, tell: Tell, steps: int) -> None:
        self._tell = tell
        self._steps = steps
        self._done = 0
        self._began = monotonic()
        self._doing = "starting"
        self._since = self._began

    def begin(self, number: str, title: str) -> None:
        """A step begins."""
        self._done += 1
        self._doing = f"step {number}: {title}"
        self._since = monotonic()
        self._say(f"{self._done}/{self._steps} {title}")

    def skip(self, steps: int, why: str) -> None:
        """The next steps need not be done."""
        self._done += steps
        self._say(f"{self._done}/{self._steps} {why}")

    def end(self, seconds: float, detail: str) -> None:
        """The step has ended; only what is worth a line is said."""
        if detail or seconds >= 10:
            self._say(f"    {seconds:.1f} s {detail}".rstrip())

    @contextmanager
    def heartbeat(self, last_words: Callable[[], str]) -> Iterator[None]:
        """Within the block, a step that takes long says so, with the guest's last console line."""
        stop = threading.Event()
        thread = threading.Thread(target=self._beat, args=(stop, last_words), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _beat(self, stop: threading.Event, last_words: Callable[[], str]) -> None:
        while not stop.wait(SPEAK_EVERY):
            waited = monotonic() - self._since
            if waited >= SPEAK_EVERY:
                self._say(f"    still in {self._doing}, {waited:.0f} s; console: {last_words() or 'silent'}")

    def _say(self, text: str) -> None:
        self._tell(f"[{monotonic() - self._began:6.1f} s] {text}")
