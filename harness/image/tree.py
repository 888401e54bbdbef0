# SPDX-License-Identifier: GPL-3.0-only
"""A file tree in memory that becomes a tar stream: needs no root, and is the same every time."""

from __future__ import annotations

import copy
import io
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

# Every file has this time (2023-11-14), so that equal content gives an equal archive.
SOURCE_DATE_EPOCH = 1_700_000_000
_DEEPEST_LINK = 20


@dataclass(slots=True)
class Tree:
    """Files by path (no leading slash); paths are resolved through the tree's own links.

    So a deb that ships ``lib/x`` lands in ``usr/lib/x`` when ``lib`` is a link to it.
    """

    entries: dict[str, tuple[tarfile.TarInfo, bytes]] = field(default_factory=dict)

    def __contains__(self, path: str) -> bool:
        return self.place(path) in self.entries

    def read(self, path: str) -> bytes:
        """The content of a file; follows links.

        :raise KeyError: it is not there.
        """
        entry, data = self.entries[self.place(path)]
        if entry.issym():
            return self.read(posixpath.join(posixpath.dirname(path), entry.linkname))
        if entry.islnk():
            return self.read(entry.linkname)
        return data

    def place(self, path: str, depth: int = 0) -> str:
        """Where `path` is, after following links among its parent directories."""
        done = ""
        names = [name for name in posixpath.normpath(path).strip("/").split("/") if name != "."]
        for index, name in enumerate(names[:-1]):
            done = posixpath.join(done, name)
            entry = self.entries.get(done)
            if entry and entry[0].issym() and depth < _DEEPEST_LINK:
                target = posixpath.join("/", posixpath.dirname(done), entry[0].linkname)
                rest = "/".join(names[index + 1 :])
                return self.place(f"{target}/{rest}", depth + 1)
        return "/".join(names)

    def put(self, entry: tarfile.TarInfo, data: bytes = b"") -> None:
        """Add or replace one entry; a directory in place of a link to one leaves the link."""
        name = self.place(entry.name)
        there = self.entries.get(name)
        if not name or (there and entry.isdir() and not there[0].isreg()):
            return
        entry = copy.copy(entry)
        entry.name, entry.mtime = name, SOURCE_DATE_EPOCH
        if entry.islnk():
            entry.linkname = self.place(entry.linkname)
        self.entries[name] = (entry, data)

    def add_tar(self, archive: tarfile.TarFile, keep: Callable[[str], bool] = bool) -> None:
        """Add the members whose path `keep` accepts (default: all)."""
        for member in archive:
            name = posixpath.normpath(member.name)
            if name != "." and keep(name):
                stream = archive.extractfile(member) if member.isreg() else None
                self.put(member, stream.read() if stream else b"")

    def add_directory(self, root: Path) -> None:
        """Add a directory of the host as if root owned it; execute bits decide the modes."""
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_symlink():
                self.link(name, str(path.readlink()))
            elif path.is_dir():
                self.directory(name)
            else:
                self.file(name, path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Put a file of root's."""
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(data), mode
        self.put(entry, data)

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link."""
        entry = tarfile.TarInfo(path)
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
        self.put(entry)

    def directory(self, path: str, mode: int = 0o755) -> None:
        """Put a directory of root's, unless there is one."""
        if path not in self:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            self.put(entry)

    def remove(self, unwanted: Callable[[str], bool]) -> None:
        """Remove every entry whose path `unwanted` accepts, except targets of hard links."""
        linked = {entry.linkname for entry, _ in self.entries.values() if entry.islnk()}
        for name in [name for name in self.entries if unwanted(name) and name not in linked]:
            del self.entries[name]

    def capability(self, path: str, value: bytes) -> None:
        """Give a file the extended attribute security.capability (capabilities(7))."""
        entry, data = self.entries[self.place(path)]
        entry = copy.copy(entry)
        text = value.decode("utf-8", "surrogateescape")
        entry.pax_headers = {**entry.pax_headers, "SCHILY.xattr.security.capability": text}
        self.entries[entry.name] = (entry, data)

    def write(self, stream: IO[bytes]) -> None:
        """Write the tree as a tar archive, directories before what is in them."""
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for entry, data in self._ordered():
                archive.addfile(entry, io.BytesIO(data) if entry.isreg() else None)

    def _ordered(self) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
        self._complete()
        names = sorted(self.entries, key=lambda name: (self.entries[name][0].islnk(), name))
        return (self.entries[name] for name in names)

    def _complete(self) -> None:
        """Add the parent directories that nobody named."""
        for name in list(self.entries):
            parent = posixpath.dirname(name)
            while parent and parent not in self.entries:
                self.directory(parent)
                parent = posixpath.dirname(parent)
