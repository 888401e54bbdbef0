# SPDX-License-Identifier: GPL-3.0-only
"""Where the ext4 file systems of a disk lie: on the whole of it, or in partitions (MBR or GPT)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from harness.cut.blocks import Part
from harness.cut.ext4 import SUPERBLOCK, Damaged, superblock
from harness.cut.write_log import Read
from harness.errors import Mistake

_SECTOR = 512
_PROTECTIVE = 0xEE
_MOST_PARTITIONS = 128


def file_system(read: Read, size: int, start: int | None = None) -> Part:
    """The ext4 file system of a disk of `size` bytes, which must be the only one, or the one at `start`.

    :raise Mistake: there is none, or more than one.
    :raise HostLacks: it uses what the reader does not know.
    """
    starts = [0, *_partitions(read)] if start is None else [start]
    found: list[Part] = []
    for at in starts:
        try:
            sb = superblock(read(at + SUPERBLOCK, SUPERBLOCK))
        except Damaged:
            continue
        found.append(Part(at, min(sb.length, size - at), sb.block))
    if not found:
        raise Mistake(
            "cannot sweep over this disk: it has no ext4 file system"
            + ("" if start is None else f" at byte {start}")
        )
    if len(found) > 1:
        raise Mistake(
            f"cannot sweep over this disk: it has ext4 file systems at bytes {[p.start for p in found]}",
            hint="name the one that holds the policy",
        )
    return found[0]


def _partitions(read: Read) -> Iterator[int]:
    sector = read(0, _SECTOR)
    if len(sector) < _SECTOR or sector[510:] != b"\x55\xaa":
        return
    for at in range(446, 510, 16):
        kind, first = sector[at + 4], struct.unpack_from("<I", sector, at + 8)[0]
        if kind == _PROTECTIVE:
            yield from _gpt(read)
            return
        if kind and first:
            yield first * _SECTOR


def _gpt(read: Read) -> Iterator[int]:
    """UEFI specification, section 5.3: the header is in the second sector."""
    header = read(_SECTOR, _SECTOR)
    if len(header) < _SECTOR or header[:8] != b"EFI PART":
        return
    table, count, width = struct.unpack_from("<QII", header, 72)
    for number in range(min(count, _MOST_PARTITIONS)):
        entry = read(table * _SECTOR + number * width, 128)
        if len(entry) == 128 and any(entry[:16]):
            yield struct.unpack_from("<Q", entry, 32)[0] * _SECTOR
