# SPDX-License-Identifier: GPL-3.0-only
"""Reads build ids as snapd's osutil.ReadBuildID does: hex of the GNU note, else hex of Go's own note.

snapd 2.49 of Debian has only the Go note; its `system-key` then holds the hex of that note's text. snapd
goes by sections, and so does this: in 2.77.1 the GNU note is in a section that no segment of notes covers.
Segments are read as well, for files without sections.
"""

from __future__ import annotations

import struct

from .wire import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

PT_NOTE = 4
SHT_NOTE = 7
LONGEST_NOTES = 1 << 16
MOST_HEADERS = 256
LARGEST_OFFSET = 1 << 40  # beyond any executable, and below what a file system refuses to seek to

# Of elf(5): where the file's header names a table of headers, how one of them is laid out, and its kind of
# those that hold notes; first for sections, then for segments.
ELF64 = (
    (struct.Struct("<40xQ10xHH"), struct.Struct("<4xI16xQQ"), SHT_NOTE),
    (struct.Struct("<32xQ14xHH"), struct.Struct("<I4xQ16xQ"), PT_NOTE),
)
ELF32 = (
    (struct.Struct("<32xI10xHH"), struct.Struct("<4xI8xII"), SHT_NOTE),
    (struct.Struct("<28xI10xHH"), struct.Struct("<II8xI"), PT_NOTE),
)


# Of a note, its owner and kind.
GNU_BUILD_ID = (b"GNU\0", 3)
GO_BUILD_ID = (b"Go\0\0", 4)


def build_id(path: str) -> str:
    """The build id in hex; empty when the file is no little-endian ELF file or has none.

    Raises OSError when it cannot be read.
    """
    with open(path, "rb") as file:
        notes = dict(reversed(_notes(file)))
    return (notes.get(GNU_BUILD_ID) or notes.get(GO_BUILD_ID) or b"").hex()


def _notes(file: BinaryIO) -> list[tuple[tuple[bytes, int], bytes]]:
    """Each note's owner and kind, and its content."""
    found: list[tuple[tuple[bytes, int], bytes]] = []
    for offset, size in _places_of_notes(file):
        file.seek(offset)
        found += _split(file.read(min(size, LONGEST_NOTES)))
    return found


def _places_of_notes(file: BinaryIO) -> list[tuple[int, int]]:
    head = file.read(64)
    if len(head) < 64 or head[:4] != b"\x7fELF" or head[5] != 1:
        return []
    places: list[tuple[int, int]] = []
    for header, entry, wanted in ELF64 if head[4] == 2 else ELF32:
        places += _places_in_table(file, header.unpack_from(head), entry, wanted)
    return places


def _places_in_table(
    file: BinaryIO, where: tuple[int, int, int], entry: struct.Struct, wanted: int
) -> list[tuple[int, int]]:
    table, entry_size, entries = where
    if entry_size < entry.size or table > LARGEST_OFFSET:
        return []
    file.seek(table)
    raw = file.read(entry_size * min(entries, MOST_HEADERS))
    starts = range(0, len(raw) - entry.size + 1, entry_size)
    found = [entry.unpack_from(raw, start) for start in starts]
    return [(offset, size) for kind, offset, size in found if kind == wanted and offset <= LARGEST_OFFSET]


def _split(raw: bytes) -> list[tuple[tuple[bytes, int], bytes]]:
    found: list[tuple[tuple[bytes, int], bytes]] = []
    place = 0
    while place + 12 <= len(raw):
        owner_size, size, kind = struct.unpack_from("<III", raw, place)
        content = place + 12 + _padded(owner_size)
        if content + size > len(raw):
            break
        owner = raw[place + 12 : place + 12 + owner_size]
        found.append(((owner, kind), raw[content : content + size]))
        place = content + _padded(size)
    return found


def _padded(size: int) -> int:
    return (size + 3) & ~3
