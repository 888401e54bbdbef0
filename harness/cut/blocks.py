# SPDX-License-Identifier: GPL-3.0-only
"""A disk in one state, as where each block's content lies: nothing is copied to go from state to state.

A place is a number or, where writes covered parts of a block only, the bytes themselves. Places never
change their content, so whatever is worked out of one can be kept for all states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from harness.cut.write_log import DISCARD, Entry, Read

Place: TypeAlias = int | bytes
"""From 0 on an offset in the log; ZEROS; below that a block of the base; or the content."""
View: TypeAlias = Callable[[int], Place]
"""The place of a block by its number."""
ZEROS = -1


def in_base(block: int) -> int:
    """The place of a block that was not written."""
    return -2 - block


@dataclass(frozen=True, slots=True)
class Part:
    """Where on the disk a file system lies, and in what blocks it counts; all in bytes."""

    start: int
    length: int
    block: int


class Contents:
    """What lies at places: in the base, which is the disk before the log, or in the log."""

    def __init__(self, base: Read, log: Read, part: Part) -> None:
        self._base = base
        self._log = log
        self.part = part

    def of(self, place: Place) -> bytes:
        """A block's content; what lies beyond the end of a file reads as zeros."""
        size = self.part.block
        if isinstance(place, bytes):
            return place
        if place == ZEROS:
            return bytes(size)
        if place >= 0:
            return self._log(place, size).ljust(size, b"\0")
        return self._base(self.part.start + (-2 - place) * size, size).ljust(size, b"\0")

    def logged(self, offset: int, length: int) -> bytes:
        """Bytes of the log, from an entry's data."""
        return self._log(offset, length).ljust(length, b"\0")


class Written:
    """What the log has written, up to some entry; blocks are counted from the file system's start."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.blocks: dict[int, Place] = {}

    def place(self, block: int) -> Place:
        """Where the block's content is now."""
        found = self.blocks.get(block)
        return in_base(block) if found is None else found

    def apply(self, entry: Entry) -> None:
        """Carry a write out. After a discard the blocks read as zeros, as QEMU's disks do."""
        for block in self.touched(entry):
            self.blocks[block] = self._after(entry, block, self.place(block))

    def touched(self, entry: Entry) -> range:
        """The blocks that the entry writes, wholly or in part."""
        part = self._contents.part
        first = max(entry.start - part.start, 0)
        last = min(entry.end - part.start, part.length)
        if not entry.writes or last <= first:
            return range(0)
        return range(first // part.block, -(-last // part.block))

    def without(
        self, dropped: Entry, before: Mapping[int, Place], epoch: Sequence[Entry]
    ) -> dict[int, Place]:
        """The places that are others when the epoch's entry `dropped` is lost and all else is written.

        `before` has the places before the epoch of all blocks that it touches.
        """
        blocks = self.touched(dropped)
        changed = {block: before[block] for block in blocks}
        for entry in epoch:
            touched = self.touched(entry)
            if entry is dropped or touched.start >= blocks.stop or touched.stop <= blocks.start:
                continue
            for block in range(max(touched.start, blocks.start), min(touched.stop, blocks.stop)):
                changed[block] = self._after(entry, block, changed[block])
        return changed

    def _after(self, entry: Entry, block: int, old: Place) -> Place:
        part = self._contents.part
        start = part.start + block * part.block
        first, last = max(entry.start, start), min(entry.end, start + part.block)
        if last - first == part.block:
            return ZEROS if entry.flags & DISCARD else entry.data + first - entry.start
        return self._patched(entry, first, last, start, old)

    def _patched(self, entry: Entry, first: int, last: int, start: int, old: Place) -> bytes:
        content = self._contents.of(old)
        new = (
            bytes(last - first)
            if entry.flags & DISCARD
            else self._contents.logged(entry.data + first - entry.start, last - first)
        )
        return content[: first - start] + new + content[last - start :]
