# SPDX-License-Identifier: GPL-3.0-only
"""A log of block writes, as QEMU's `blklogwrites` and the kernel's dm-log-writes keep it.

The format (Documentation/admin-guide/device-mapper/log-writes.rst, drivers/md/dm-log-writes.c): a
superblock in the first sector, then for each request a sector that begins with its header, followed by the
data. A discard has no data; a mark keeps its text in the header's sector. All numbers are little-endian,
and addresses are in sectors of the log.

QEMU logs a request when it is complete, so a write may be logged before a flush that did not wait for it:
such a write is taken for durable, although a disk could have lost it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from harness.errors import RecordUnusable

Read: TypeAlias = Callable[[int, int], bytes]
"""Bytes from an offset; fewer than asked for at the end."""

FLUSH, FUA, DISCARD, MARK, METADATA = 1, 2, 4, 8, 16
_KNOWN = FLUSH | FUA | DISCARD | MARK | METADATA
_MAGIC, _VERSION = 0x6A736677736872, 1
_SUPER = struct.Struct("<QQQI")
_HEADER = struct.Struct("<QQQQ")


@dataclass(frozen=True, slots=True)
class Entry:
    """One request: `start` and `length` in bytes of the disk, `data` where its bytes are in the log."""

    number: int
    start: int
    length: int
    flags: int
    data: int

    @property
    def end(self) -> int:
        return self.start + self.length

    @property
    def flushes(self) -> bool:
        """Whether what was written before it is durable after it."""
        return bool(self.flags & FLUSH)

    @property
    def writes(self) -> bool:
        """Whether it changes the disk."""
        return self.length > 0 and not self.flags & MARK

    @property
    def durable(self) -> bool:
        """Whether a cut cannot lose it once it is complete."""
        return bool(self.flags & FUA)


@dataclass(frozen=True, slots=True)
class WriteLog:
    """The entries in their order; `gap` says why there are fewer than the log counts, or is empty."""

    entries: tuple[Entry, ...]
    gap: str = ""


def parse(read: Read, size: int, disk: int) -> WriteLog:
    """The log in a file of `size` bytes, of a disk of `disk` bytes.

    Where an entry is not there or is none, the log ends and says so; nothing after it can be found.

    :raise RecordUnusable: it is no such log.
    """
    counted, sector = _superblock(read(0, _SUPER.size))
    entries: list[Entry] = []
    try:
        for entry in _entries(read, size, counted, sector):
            _check(entry, disk)
            entries.append(entry)
    except _Gap as gap:
        return WriteLog(tuple(entries), f"the log of writes breaks off at entry {len(entries)}: {gap}")
    return WriteLog(tuple(entries))


class _Gap(Exception):
    """Nothing more can be read."""


def _superblock(raw: bytes) -> tuple[int, int]:
    if len(raw) < _SUPER.size:
        raise RecordUnusable(
            f"cannot read the log of writes: it has {len(raw)} bytes",
            hint="QEMU writes the first of them with the guest's first write",
        )
    magic, version, counted, sector = _SUPER.unpack(raw)
    if magic != _MAGIC:
        raise RecordUnusable(f"cannot read the log of writes: it begins with {magic:#x}, not {_MAGIC:#x}")
    if version != _VERSION:
        raise RecordUnusable(f"cannot read the log of writes: it has version {version}, not {_VERSION}")
    if sector < 512 or sector >= 1 << 24 or sector & (sector - 1):
        raise RecordUnusable(f"cannot read the log of writes: its sectors have {sector} bytes")
    return counted, sector


def _entries(read: Read, size: int, counted: int, sector: int) -> Iterator[Entry]:
    place, number = sector, 0
    while number < counted:
        raw = read(place, _HEADER.size)
        if len(raw) < _HEADER.size:
            raise _Gap(f"the log counts {counted} and ends before it")
        start, sectors, flags, _ = _HEADER.unpack(raw)
        place += sector
        entry = Entry(number, start * sector, sectors * sector, flags, place)
        place += entry.length if entry.writes and not flags & DISCARD else 0
        if place > size:
            raise _Gap(f"its {entry.length} bytes go beyond the end of the log")
        yield entry
        number += 1


def _check(entry: Entry, disk: int) -> None:
    if entry.flags & ~_KNOWN:
        raise _Gap(f"its flags are {entry.flags:#x}")
    if not entry.flags and not entry.length:
        raise _Gap("it was not written")
    if entry.writes and entry.end > disk:
        raise _Gap(f"it writes up to byte {entry.end} of a disk of {disk}")
