# SPDX-License-Identifier: GPL-3.0-only
"""Logs of writes as QEMU makes them, written by hand."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.cut.write_log import DISCARD, FLUSH

SECTOR = 512
MAGIC = 0x6A736677736872


@dataclass(frozen=True)
class Write:
    """A request; `sector` and `sectors` count in log sectors, and the data begin with `fill`."""

    sector: int = 0
    sectors: int = 0
    flags: int = 0
    data: bytes = b""

    @property
    def content(self) -> bytes:
        return b"" if self.flags & DISCARD else self.data.ljust(self.sectors * SECTOR, b"\0")


A_FLUSH = Write(flags=FLUSH)


def superblock(entries: int, *, magic: int = MAGIC, version: int = 1, sector: int = SECTOR) -> bytes:
    return struct.pack("<QQQI", magic, version, entries, sector).ljust(SECTOR, b"\0")


def header(write: Write) -> bytes:
    return struct.pack("<QQQQ", write.sector, write.sectors, write.flags, 0).ljust(SECTOR, b"\0")


def log_of(writes: Sequence[Write], counted: int | None = None) -> bytes:
    """A whole log; `counted` is what its superblock says instead of the number of writes."""
    said = len(writes) if counted is None else counted
    return superblock(said) + b"".join(header(write) + write.content for write in writes)


def reader(content: bytes) -> Callable[[int, int], bytes]:
    """Reads bytes as a file would be read."""
    return lambda offset, length: content[offset : offset + length]
