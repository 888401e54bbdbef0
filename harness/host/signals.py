# SPDX-License-Identifier: GPL-3.0-only
"""SIGTERM and SIGHUP unwind the harness like Ctrl-C does, so that every `with` block is left."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived; like Ctrl-C it passes every `except Exception` on its way up."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def terminate_on_signals() -> Iterator[None]:
    """Turn the first SIGTERM or SIGHUP in the block into Interrupted, so that every `with` unwinds.

    Later ones are ignored, so that nothing disturbs the unwinding. Main thread only.
    """
    numbers = (signal.SIGTERM, signal.SIGHUP)

    def unwind(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    before = {number: signal.signal(number, unwind) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
