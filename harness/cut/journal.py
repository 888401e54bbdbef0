# SPDX-License-Identifier: GPL-3.0-only
"""Replays ext4's journal, as mounting does (Documentation/filesystems/ext4/journal.rst, fs/jbd2/recovery.c).

Nothing is written: the answer is where the replayed blocks' content lies. A transaction counts when its
commit block is there. Like the kernel's, the replay ends at the first block that is no part of the next
transaction, does not carry out what a later transaction revoked, and gives up at a wrong checksum.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.cut.blocks import Place, View
from harness.cut.crc32c import crc32c
from harness.cut.ext4 import Damaged, Ext4, State
from harness.errors import HostLacks

_MAGIC = 0xC03B3998
_DESCRIPTOR, _COMMIT, _SUPER_1, _SUPER_2, _REVOKE = 1, 2, 3, 4, 5
_REVOKES, _64BIT, _CSUM_V2, _CSUM_V3 = 0x1, 0x2, 0x8, 0x10
_ESCAPED, _SAME_UUID, _LAST = 0x1, 0x2, 0x8
_HEADER = struct.Struct(">III")


@dataclass(frozen=True, slots=True)
class _Tag:
    """One journalled block: its home, and the sum over its content."""

    home: int
    escaped: bool
    sum: int


@dataclass(slots=True)
class _Transaction:
    sequence: int
    blocks: list[tuple[_Tag, Place]] = field(default_factory=list)
    revoked: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Log:
    """What the journal's superblock says, and where its blocks are in the state at hand."""

    view: View
    blocks: tuple[int, ...]
    first: int
    length: int
    start: int
    sequence: int
    features: int
    seed: int

    @property
    def sums(self) -> bool:
        return bool(self.features & (_CSUM_V2 | _CSUM_V3))

    def place(self, block: int) -> Place:
        return self.view(self.blocks[block])

    def after(self, block: int) -> int:
        return block + 1 if block + 1 < self.length else self.first


class Journal:
    """Replays the journal in any state of one disk."""

    def __init__(self, reader: Ext4) -> None:
        self._reader = reader
        self._known_tags: dict[Place, tuple[_Tag, ...]] = {}
        self._known_revokes: dict[Place, tuple[int, ...]] = {}
        self._headers: dict[Place, tuple[int, int, int]] = {}
        self._numbers: dict[tuple[tuple[int, int, int], ...], tuple[int, ...]] = {}
        self._right: dict[tuple[Place, int], int] = {}

    def replay(self, state: State) -> dict[int, Place]:
        """Where the blocks lie that mounting would write, by their numbers; empty where it would write none.

        :raise Damaged: the kernel would refuse to mount this.
        :raise HostLacks: the journal uses what this reader does not know.
        """
        if not state.super.journal or not state.super.needs_recovery:
            return {}
        log = self._log(state)
        if log.start == 0:
            return {}
        transactions = list(self._transactions(log))
        revoked: dict[int, int] = {}
        for transaction in transactions:
            revoked.update(dict.fromkeys(transaction.revoked, transaction.sequence))
        replayed: dict[int, Place] = {}
        for transaction in transactions:
            for tag, place in transaction.blocks:
                if revoked.get(tag.home, -1) < transaction.sequence:
                    replayed[tag.home] = self._content(log, transaction, tag, place)
        return replayed

    def _log(self, state: State) -> _Log:
        blocks = self._blocks(state.runs(state.inode(state.super.journal)))
        raw = self._reader.contents.of(state.view(blocks[0])) if blocks else b""
        if len(raw) < 1024:
            raise Damaged("the journal is empty")
        magic, kind, _ = _HEADER.unpack_from(raw)
        size, length, first, sequence, start = struct.unpack_from(">5I", raw, 12)
        if magic != _MAGIC or kind not in (_SUPER_1, _SUPER_2) or size != state.super.block:
            raise Damaged("the journal has no superblock")
        if not 1 <= first < length <= len(blocks) or not (start == 0 or first <= start < length):
            raise Damaged("the journal's superblock makes no sense")
        compatible, incompatible = struct.unpack_from(">II", raw, 0x24) if kind == _SUPER_2 else (0, 0)
        unknown = incompatible & ~(_REVOKES | _64BIT | _CSUM_V2 | _CSUM_V3) | compatible
        if unknown:
            raise HostLacks(f"cannot replay the journal of a cut: it uses unknown features {unknown:#x}")
        return _Log(state.view, blocks, first, length, start, sequence, incompatible, crc32c(raw[0x30:0x40]))

    def _blocks(self, runs: tuple[tuple[int, int, int], ...]) -> tuple[int, ...]:
        """The journal's blocks in their order; a journal has no holes."""
        found = self._numbers.get(runs)
        if found is None:
            found = tuple(first + i for _, length, first in sorted(runs) for i in range(length))
            self._numbers[runs] = found
        return found

    def _transactions(self, log: _Log) -> Iterator[_Transaction]:
        """Those that were committed, in their order."""
        block, steps = log.start, log.length
        transaction = _Transaction(log.sequence)
        while steps > 0:
            place = log.place(block)
            magic, kind, sequence = self._header(place)
            block, steps = log.after(block), steps - 1
            if magic != _MAGIC or sequence != transaction.sequence:
                return
            if kind == _DESCRIPTOR:
                self._require_sum(log, place, sequence, at=-4)
                for tag in self._tags(log, place):
                    transaction.blocks.append((tag, log.place(block)))
                    block, steps = log.after(block), steps - 1
            elif kind == _REVOKE:
                self._require_sum(log, place, sequence, at=-4)
                transaction.revoked.extend(self._revoked(log, place))
            elif kind == _COMMIT:
                self._require_sum(log, place, sequence, at=16)
                yield transaction
                transaction = _Transaction(sequence + 1 & 0xFFFFFFFF)
            else:
                return

    def _header(self, place: Place) -> tuple[int, int, int]:
        found = self._headers.get(place)
        if found is None:
            found = self._headers[place] = _HEADER.unpack_from(self._reader.contents.of(place))
        return found

    def _tags(self, log: _Log, place: Place) -> tuple[_Tag, ...]:
        found = self._known_tags.get(place)
        if found is None:
            found = self._known_tags[place] = tuple(_tags(log, self._reader.contents.of(place)))
        return found

    def _revoked(self, log: _Log, place: Place) -> tuple[int, ...]:
        found = self._known_revokes.get(place)
        if found is None:
            found = self._known_revokes[place] = tuple(_revokes(log, self._reader.contents.of(place)))
        return found

    def _require_sum(self, log: _Log, place: Place, sequence: int, *, at: int) -> None:
        """Check a block that holds its own sum `at` an offset, counted from its end when negative."""
        if not log.sums or (place, -1) in self._right:
            return
        raw = self._reader.contents.of(place)
        at %= len(raw)
        said = int.from_bytes(raw[at : at + 4], "big")
        if crc32c(raw[:at] + bytes(4) + raw[at + 4 :], log.seed) != said:
            raise Damaged(f"the journal's transaction {sequence} is corrupt")
        self._right[place, -1] = said

    def _content(self, log: _Log, transaction: _Transaction, tag: _Tag, place: Place) -> Place:
        sequence = transaction.sequence
        if log.sums:
            found = self._right.get((place, sequence))
            if found is None:
                seed = crc32c(sequence.to_bytes(4, "big"), log.seed)
                found = self._right[place, sequence] = crc32c(self._reader.contents.of(place), seed)
            if found & (0xFFFFFFFF if log.features & _CSUM_V3 else 0xFFFF) != tag.sum:
                raise Damaged(f"block {tag.home} in the journal's transaction {sequence} is corrupt")
        if tag.escaped:
            return _MAGIC.to_bytes(4, "big") + self._reader.contents.of(place)[4:]
        return place


def _tags(log: _Log, raw: bytes) -> Iterator[_Tag]:
    """The tags of a descriptor block."""
    long = bool(log.features & _64BIT)
    third = bool(log.features & _CSUM_V3)
    size = 16 if third else 8 + 4 * long + 2 * bool(log.features & _CSUM_V2)
    at, end = 12, len(raw) - 4 * log.sums
    while at + size <= end:
        if third:
            home, flags, high, total = struct.unpack_from(">4I", raw, at)
        else:
            home, total, flags = struct.unpack_from(">IHH", raw, at)
            high = struct.unpack_from(">I", raw, at + 8)[0] if long else 0
        yield _Tag(home | (high << 32 if long else 0), bool(flags & _ESCAPED), total)
        at += size + (0 if flags & _SAME_UUID else 16)
        if flags & _LAST:
            return


def _revokes(log: _Log, raw: bytes) -> Iterator[int]:
    """The blocks that a revoke block names; its count is of bytes and includes what comes before them."""
    used = min(struct.unpack_from(">I", raw, 12)[0], len(raw))
    width = 8 if log.features & _64BIT else 4
    for at in range(16, used - width + 1, width):
        yield int.from_bytes(raw[at : at + width], "big")
