# SPDX-License-Identifier: GPL-3.0-only
"""Reads an ext4 file system in one state of its disk (Documentation/filesystems/ext4/).

Only what directories and files need: no times, owners, attributes or allocation. What is worked out of a
block is kept by the block's place, so that states that share a block share the work.

A file system that uses something unknown to this reader is refused as a whole, never read half.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from harness.cut.blocks import ZEROS, Contents, Place, View
from harness.errors import HostLacks

SUPERBLOCK = 1024  # bytes from the start of the file system, and its size
ROOT = 2
RECOVER, SIXTY_FOUR_BIT = 0x4, 0x80
_READABLE = {
    0x2: "filetype", RECOVER: "needs_recovery", 0x40: "extent", SIXTY_FOUR_BIT: "64bit", 0x100: "mmp",
    0x200: "flex_bg", 0x400: "ea_inode", 0x2000: "metadata_csum_seed", 0x4000: "large_dir",
    0x20000: "casefold",
}  # fmt: skip
_FAST_COMMIT = 0x400
_MAGIC, _EXTENT_MAGIC = 0xEF53, 0xF30A
_USES_EXTENTS, _INLINE, _ENCRYPTED = 0x80000, 0x10000000, 0x800
_TYPE, _DIRECTORY, _FILE, _LINK = 0o170000, 0o040000, 0o100000, 0o120000
_LARGEST = 1 << 28  # bytes; nothing that is policy comes near
_DEEPEST = 5
_MOST_RUNS = 1 << 16
_LONGEST_IN_INODE = 60
_UNWRITTEN = 1 << 15


class Damaged(Exception):
    """The file system in this state cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Inode:
    """One file of any kind; `root` is the area that holds its extents or, for a short link, its target."""

    mode: int
    size: int
    flags: int
    root: bytes

    @property
    def is_directory(self) -> bool:
        return self.mode & _TYPE == _DIRECTORY

    @property
    def is_file(self) -> bool:
        return self.mode & _TYPE == _FILE

    @property
    def is_link(self) -> bool:
        return self.mode & _TYPE == _LINK


@dataclass(frozen=True, slots=True)
class Superblock:
    """The facts that locate everything else."""

    raw: bytes

    @property
    def block(self) -> int:
        """Bytes in a block."""
        return 1024 << _u32(self.raw, 0x18)

    @property
    def length(self) -> int:
        """Bytes in the file system."""
        high = _u32(self.raw, 0x150) if self.incompatible & SIXTY_FOUR_BIT else 0
        return (_u32(self.raw, 0x4) | high << 32) * self.block

    @property
    def inodes(self) -> int:
        return _u32(self.raw, 0x0)

    @property
    def first_block(self) -> int:
        return _u32(self.raw, 0x14)

    @property
    def inodes_per_group(self) -> int:
        return _u32(self.raw, 0x28)

    @property
    def inode_size(self) -> int:
        return _u16(self.raw, 0x58)

    @property
    def descriptor_size(self) -> int:
        return _u16(self.raw, 0xFE) if self.incompatible & SIXTY_FOUR_BIT else 32

    @property
    def incompatible(self) -> int:
        return _u32(self.raw, 0x60)

    @property
    def journal(self) -> int:
        """The journal's inode; 0 when there is none."""
        return _u32(self.raw, 0xE0) if _u32(self.raw, 0x5C) & 0x4 else 0

    @property
    def needs_recovery(self) -> bool:
        """Whether the journal holds what is to be replayed; without it the kernel empties the journal."""
        return bool(self.incompatible & RECOVER)


def _u32(raw: bytes, offset: int) -> int:
    return int.from_bytes(raw[offset : offset + 4], "little")


def _u16(raw: bytes, offset: int) -> int:
    return int.from_bytes(raw[offset : offset + 2], "little")


def superblock(raw: bytes) -> Superblock:
    """The superblock in these bytes.

    :raise Damaged: there is none, or its numbers make no sense.
    :raise HostLacks: it uses what this reader does not know.
    """
    found = Superblock(raw)
    if len(raw) < SUPERBLOCK or _u16(raw, 0x38) != _MAGIC:
        raise Damaged("there is no ext4 superblock")
    if _u32(raw, 0x18) > 6:
        raise Damaged("its blocks have no possible size")
    if _u32(raw, 0x5C) & 0x4 and not found.journal:
        raise HostLacks("cannot read the file system of a cut: its journal is on another disk")
    unknown = found.incompatible & ~sum(_READABLE) | _u32(raw, 0x5C) & _FAST_COMMIT
    if unknown:
        raise HostLacks(
            f"cannot read the file system of a cut: it uses features {unknown:#x}, which nothing here reads",
            hint="make the image's file system with `mke2fs -t ext4` and its default features",
        )
    if not _fits(found.inode_size, 128, found.block) or not found.inodes_per_group:
        raise Damaged("its inodes have no possible size")
    if not _fits(found.descriptor_size, 32, found.block):
        raise Damaged("its group descriptors have no possible size")
    return found


def _fits(size: int, least: int, block: int) -> bool:
    """Whether blocks are full of what has this size, a power of two."""
    return least <= size <= block and size & (size - 1) == 0


class Ext4:
    """A reader for all states of one disk; `view` says where each block lies in the state at hand."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self._inodes: dict[tuple[Place, int], Inode] = {}
        self._directories: dict[tuple[Place, ...], tuple[tuple[bytes, int], ...]] = {}
        self._superblocks: dict[Place, Superblock] = {}

    def superblock(self, view: View) -> Superblock:
        """The superblock in this state; raises as `superblock` does."""
        size = self.contents.part.block
        place = view(SUPERBLOCK // size)
        found = self._superblocks.get(place)
        if found is None:
            start = SUPERBLOCK % size
            found = superblock(self.contents.of(place)[start : start + SUPERBLOCK])
            if found.block != size:
                raise Damaged("its blocks have changed their size")
            self._superblocks[place] = found
        return found

    def state(self, view: View) -> State:
        """The file system in this state; raises as `superblock` does."""
        return State(self, view, self.superblock(view))

    def inode(self, place: Place, offset: int) -> Inode:
        """The inode that begins at an offset of a block."""
        found = self._inodes.get((place, offset))
        if found is None:
            raw = self.contents.of(place)[offset : offset + 128]
            mode, _, low = struct.unpack_from("<HHI", raw)
            flags, high = struct.unpack_from("<I", raw, 0x20)[0], struct.unpack_from("<I", raw, 0x6C)[0]
            found = self._inodes[place, offset] = Inode(mode, low | high << 32, flags, raw[0x28 : 0x28 + 60])
        return found

    def names(self, places: tuple[Place, ...]) -> tuple[tuple[bytes, int], ...]:
        """Names and inode numbers of a directory in these blocks, without `.` and `..`."""
        found = self._directories.get(places)
        if found is None:
            found = tuple(entry for place in places for entry in _names(self.contents.of(place)))
            self._directories[places] = found
        return found


@dataclass(frozen=True)
class State:
    """The file system in one state of its disk. What cannot be read raises Damaged."""

    reader: Ext4
    view: View
    super: Superblock

    def inode(self, number: int) -> Inode:
        """The inode with this number, from 1."""
        sb = self.super
        if not 1 <= number <= sb.inodes:
            raise Damaged(f"inode {number} does not exist")
        group, index = divmod(number - 1, sb.inodes_per_group)
        block, offset = divmod(index * sb.inode_size, sb.block)
        return self.reader.inode(self.view(self._inode_table(group) + block), offset)

    def _inode_table(self, group: int) -> int:
        size = self.super.descriptor_size
        found = self._tables.get(group)
        if found is None:
            block, offset = divmod(group * size, self.super.block)
            raw = self.reader.contents.of(self.view(self.super.first_block + 1 + block))[
                offset : offset + size
            ]
            high = int.from_bytes(raw[0x28:0x2C], "little") if size > 32 else 0
            found = self._tables[group] = int.from_bytes(raw[0x8:0xC], "little") | high << 32
        return found

    @cached_property
    def _tables(self) -> dict[int, int]:
        return {}

    def places(self, inode: Inode) -> tuple[Place, ...]:
        """Where the content lies, block by block, up to the inode's size."""
        runs = self.runs(inode)  # looks at the size as well, which garbage may make 2^63
        count = -(-inode.size // self.super.block)
        found: list[Place] = [ZEROS] * count
        for logical, length, physical in runs:
            for i in range(max(0, min(length, count - logical))):
                found[logical + i] = self.view(physical + i)
        return tuple(found)

    def runs(self, inode: Inode) -> tuple[tuple[int, int, int], ...]:
        """The content's runs of blocks: the first one's number in the file, how many, where on the disk."""
        if inode.size > _LARGEST:
            raise Damaged(f"a file has {inode.size} bytes")
        if inode.flags & (_INLINE | _ENCRYPTED) or not inode.flags & _USES_EXTENTS:
            raise Damaged(f"a file with flags {inode.flags:#x} is not kept in extents")
        return tuple(islice(self._leaves(inode.root, _DEEPEST), _MOST_RUNS))

    def _leaves(self, node: bytes, deepest: int) -> Iterator[tuple[int, int, int]]:
        """Extents as first logical block, length and first physical block; unwritten ones are left out."""
        magic, entries, _, depth = struct.unpack_from("<4H", node)
        if magic != _EXTENT_MAGIC or depth > deepest or 12 + 12 * entries > len(node):
            raise Damaged("a file's extents are none")
        for at in range(12, 12 + 12 * entries, 12):
            if depth:
                _, low, high = struct.unpack_from("<IIH", node, at)
                child = self.reader.contents.of(self.view(low | high << 32))
                yield from self._leaves(child, depth - 1)
            else:
                logical, length, high, low = struct.unpack_from("<IHHI", node, at)
                if length <= _UNWRITTEN:
                    yield logical, length, low | high << 32

    def names(self, directory: Inode) -> tuple[tuple[bytes, int], ...]:
        """What a directory holds: names with their inode numbers."""
        return self.reader.names(self.places(directory))

    def target(self, link: Inode) -> bytes:
        """Where a symbolic link leads to."""
        if link.size < _LONGEST_IN_INODE:
            return link.root[: link.size]
        return b"".join(self.reader.contents.of(place) for place in self.places(link))[: link.size]

    def find(self, path: str) -> Inode | None:
        """The inode at an absolute path, or None; links on the way are not followed."""
        inode = self.inode(ROOT)
        for name in (part.encode() for part in path.split("/") if part):
            number = dict(self.names(inode)).get(name) if inode.is_directory else None
            if number is None:
                return None
            inode = self.inode(number)
        return inode


def _names(block: bytes) -> Iterator[tuple[bytes, int]]:
    """The entries of one directory block; what has no inode is free, an index or a checksum."""
    at = 0
    while at < len(block):
        if at + 8 > len(block):
            raise Damaged("a directory's entry is cut off")
        number, length, name_length = struct.unpack_from("<IHB", block, at)
        # With blocks of 64 KiB, 0 and 0xffff stand for the whole block.
        length = len(block) if length in (0, 0xFFFF) and len(block) == 1 << 16 else length
        if length < 8 or length % 4 or at + length > len(block) or 8 + name_length > length:
            raise Damaged("a directory's entry has no possible length")
        name = block[at + 8 : at + 8 + name_length]
        if number and name not in (b".", b".."):
            yield name, number
        at += length
