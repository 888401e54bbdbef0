# SPDX-License-Identifier: GPL-3.0-only
"""Archives that the kernel unpacks over an initrd (early-userspace/buffer-format.rst, "newc").

QEMU hands the kernel one piece of memory, in which several archives may follow each other, each starting
at a multiple of four.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

_DIRECTORY, _FILE, _LINK = 0o040755, 0o100000, 0o120777


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file with its permission bits, or a symbolic link when `target` is given."""

    content: bytes = b""
    mode: int = 0o644
    target: str = ""


def archive(entries: Mapping[str, Entry]) -> bytes:
    """An archive of the entries, by path without a leading slash, owned by root; directories are added."""
    directories = {parent for path in entries for parent in _parents(path)}
    modes = dict.fromkeys(directories, (_DIRECTORY, b""))
    modes |= {path: _mode_and_content(entry) for path, entry in entries.items()}
    numbered = enumerate(sorted(modes.items()), 1)
    members = [_member(number, path, mode, content) for number, (path, (mode, content)) in numbered]
    return b"".join((*members, _member(0, "TRAILER!!!", 0, b"")))


def _parents(path: str) -> list[str]:
    parent = posixpath.dirname(path)
    return [parent, *_parents(parent)] if parent else []


def _mode_and_content(entry: Entry) -> tuple[int, bytes]:
    return (_LINK, entry.target.encode()) if entry.target else (_FILE | entry.mode, entry.content)


def _member(number: int, path: str, mode: int, content: bytes) -> bytes:
    name = path.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device of the file and of its node, name's size, checksum
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(content)


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 4)
