# SPDX-License-Identifier: GPL-3.0-only
"""Hears of changes of files, with who made them, from the kernel (fanotify(7); Linux 5.9 and later).

Whole file systems are marked and not directories: so a directory that does not exist yet, or is replaced,
needs no care, nor does one that is reached by another mount. An event names a directory by its handle.
"""

from __future__ import annotations

import ctypes
import os
import struct

FAN_CLOEXEC, FAN_NONBLOCK, FAN_REPORT_DFID_NAME = 0x1, 0x2, 0xC00
FAN_MARK_ADD, FAN_MARK_FILESYSTEM = 0x1, 0x100
FAN_CLOSE_WRITE, FAN_MOVED_FROM, FAN_MOVED_TO, FAN_DELETE = 0x8, 0x40, 0x80, 0x200
FAN_Q_OVERFLOW, FAN_ONDIR = 0x4000, 0x40000000
INFO_DFID_NAME = 2
AT_FDCWD = -100

WRITTEN = FAN_CLOSE_WRITE | FAN_MOVED_TO
GONE = FAN_MOVED_FROM | FAN_DELETE
BUFFER = 1 << 16

_EVENT = struct.Struct("<IBBHQii")
_INFO = struct.Struct("<BBH8sIi")


class Change:
    """An event; `directory` is the key of the directory that `name` is in. `mask` has the FAN_ bits."""

    def __init__(self, mask: int, pid: int, directory: bytes, name: str) -> None:
        self.mask = mask
        self.pid = pid
        self.directory = directory
        self.name = name


class Fanotify:
    """Changes on the file systems that `paths` lie on. Raises OSError when the kernel tells of none."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags = FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME
        self.descriptor = self._checked(self._libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC))
        self._mounts: dict[bytes, int] = {}
        self._directories: dict[bytes, str] = {}
        try:
            for path in paths:
                self.mark(path)
        except BaseException:
            self.close()
            raise

    def mark(self, path: str) -> bool:
        """Hear of the file system of `path`, or of what there is of it; whether it is a new one."""
        while not os.path.isdir(path):
            path = os.path.dirname(path)
        system = struct.pack("<Q", os.statvfs(path).f_fsid)
        if system in self._mounts:
            return False
        mask = ctypes.c_uint64(WRITTEN | GONE | FAN_ONDIR)
        flags = FAN_MARK_ADD | FAN_MARK_FILESYSTEM
        self._checked(self._libc.fanotify_mark(self.descriptor, flags, mask, AT_FDCWD, os.fsencode(path)))
        self._mounts[system] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return True

    def read(self) -> list[Change]:
        """What has changed, as much as fits a buffer."""
        try:
            return parse_changes(os.read(self.descriptor, BUFFER))
        except BlockingIOError:
            return []

    def path_of(self, directory: bytes) -> str:
        """The path of an event's directory; empty when it has gone."""
        if directory not in self._directories:
            self._directories[directory] = self._resolved(directory)
        return self._directories[directory]

    def forget_paths(self) -> None:
        """Directories have moved."""
        self._directories.clear()

    def close(self) -> None:
        """Hear of nothing any more."""
        for descriptor in (self.descriptor, *self._mounts.values()):
            os.close(descriptor)

    def _resolved(self, directory: bytes) -> str:
        """By open_by_handle_at(2): an event's handle is what it takes."""
        system, handle = directory[:8], directory[8:]
        mount = self._mounts.get(system)
        if mount is None:
            return ""
        descriptor = self._libc.open_by_handle_at(mount, handle, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if descriptor < 0:
            return ""
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)

    @staticmethod
    def _checked(answer: int) -> int:
        if answer < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return answer


def parse_changes(raw: bytes) -> list[Change]:
    """The events in a buffer; what does not fit the form ends it."""
    found: list[Change] = []
    place = 0
    while place + _EVENT.size <= len(raw):
        size, _, _, head, mask, _, pid = _EVENT.unpack_from(raw, place)
        if size < max(head, _EVENT.size) or place + size > len(raw):
            break
        found.append(Change(mask, pid, *_place(raw[place + head : place + size])))
        place += size
    return found


def _place(infos: bytes) -> tuple[bytes, str]:
    """The first directory with a name in an event's further information."""
    place = 0
    while place + _INFO.size <= len(infos):
        kind, _, size, system, handle_size, _ = _INFO.unpack_from(infos, place)
        if size < _INFO.size or place + size > len(infos):
            break
        if kind == INFO_DFID_NAME and _INFO.size + handle_size <= size:
            start, ends = place + _INFO.size - 8, place + _INFO.size + handle_size
            name = infos[ends : place + size].partition(b"\0")[0]
            return system + infos[start:ends], os.fsdecode(name)
        place += size
    return b"", ""
