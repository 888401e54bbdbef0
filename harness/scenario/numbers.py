# SPDX-License-Identifier: GPL-3.0-only
"""Numbers of steps: ``1``, ``2``, and ``2.1`` for what happens during step 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Numbers:
    """Counts steps."""

    def __init__(self) -> None:
        self._counts = [0]

    @property
    def inside(self) -> bool:
        """True within `below`."""
        return len(self._counts) > 1

    def next(self) -> str:
        """The next number."""
        self._counts[-1] += 1
        return ".".join(map(str, self._counts))

    def back(self) -> None:
        """Take the last number back."""
        self._counts[-1] -= 1

    @contextmanager
    def below(self) -> Iterator[None]:
        """Number what follows below the step that was numbered last."""
        self._counts.append(0)
        try:
            yield
        finally:
            self._counts.pop()
