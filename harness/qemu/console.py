# SPDX-License-Identifier: GPL-3.0-only
"""The console as it grows: new lines since the last look, where each boot begins, and what is wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.model.console import Trouble, readable, troubles_in
from harness.model.timeline import ConsoleLine

KEPT_LINES = 40


@dataclass(frozen=True, slots=True)
class SeenTrouble:
    """A line that shows trouble, and which."""

    line: ConsoleLine
    trouble: Trouble


@dataclass(slots=True)
class ConsoleFollower:
    """Follows a console file that QEMU appends to; each line is delivered once, without controls."""

    path: Path
    _offset: int = 0
    _lines: int = 0
    _partial: bytes = b""
    _fresh: list[ConsoleLine] = field(default_factory=list)
    _kept: deque[ConsoleLine] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    @property
    def size(self) -> int:
        """The file's size in bytes: at the beginning of a boot, this boot's offset."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def new_lines(self) -> tuple[ConsoleLine, ...]:
        """The lines completed since the last call."""
        self._advance()
        fresh, self._fresh = tuple(self._fresh), []
        return fresh

    def new_troubles(self) -> Iterator[SeenTrouble]:
        """Trouble in the lines completed since the last call."""
        for line in self.new_lines():
            yield from (SeenTrouble(line, trouble) for trouble in troubles_in(line.text))

    def tail(self, lines: int = 15) -> tuple[str, ...]:
        """The last lines, with the one that is not complete yet: a panic often ends on such a one."""
        self._advance()
        unfinished = [readable(self._partial)] if self._partial else []
        return tuple([*(line.text for line in self._kept), *unfinished][-lines:])

    def _advance(self) -> None:
        *whole, self._partial = (self._partial + self._read()).split(b"\n")
        lines = [ConsoleLine(self._lines + n, readable(raw)) for n, raw in enumerate(whole, 1)]
        self._lines += len(lines)
        self._fresh.extend(lines)
        self._kept.extend(lines)

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return b""
        self._offset += len(new)
        return new
