# SPDX-License-Identifier: GPL-3.0-only
"""The source `files`: policy files, the system-key, compile caches and mount namespaces as they change."""

from __future__ import annotations

import os

from .fanotify import FAN_ONDIR, FAN_Q_OVERFLOW, GONE, WRITTEN, Change, Fanotify
from .files import SYSTEM_KEY, kind_of, name_of, understand
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WATCHED = ("/var/lib/snapd", "/var/cache/apparmor", "/run/snapd")
NAMESPACES = "/run/snapd/ns"
# Beside them are locks, which every `snap run` opens for writing.
OF_NAMESPACES = (".mnt", ".fstab", ".info")
LARGEST = 16 << 20
SECOND = 1_000_000_000


class FileWatch:
    """Tells of the files that matter below `root`. Raises OSError when the kernel does not."""

    is_urgent = False

    def __init__(self, now: Callable[[], int], root: str = "") -> None:
        self._now = now
        self._root = root
        self._paths = tuple(root + path for path in WATCHED)
        self._kernel = Fanotify(self._paths)
        self._since = self._read_at = self._marked_at = now()
        self.descriptors = [self._kernel.descriptor]

    def since(self) -> Mapping[str, int]:
        """When it began to watch."""
        return {"files": self._since}

    def close(self) -> None:
        """Stop watching."""
        self._kernel.close()

    def read(self) -> list[JSON]:
        """What has happened to files since."""
        before, self._read_at = self._read_at, self._now()
        said = [one for change in self._kernel.read() for one in self._understand(change, before)]
        if self._read_at < self._marked_at + SECOND:
            return said
        self._marked_at = self._read_at
        new = [path for path in self._paths if self._kernel.mark(path)]
        return said + [self._lost(before, f"a file system was mounted for {path}") for path in new]

    def _understand(self, change: Change, before: int) -> list[JSON]:
        if change.mask & FAN_Q_OVERFLOW:
            return [self._lost(before, "the kernel's queue overflowed")]
        if change.mask & FAN_ONDIR:
            return self._of_directory(change, before)
        directory = self._kernel.path_of(change.directory)
        path = f"{directory}/{change.name}".removeprefix(self._root)
        if not directory.startswith(self._paths) or not matters(path):
            return []
        # What one process does to a file is one event as long as nobody has read it, without an order.
        is_there = os.path.lexists(self._root + path)
        words = [("deleted", change.mask & GONE), ("written", change.mask & WRITTEN)]
        order = words if is_there else words[::-1]
        return [self._changed(word, path, change.pid) for word, has_it in order if has_it]

    def _of_directory(self, change: Change, before: int) -> list[JSON]:
        self._kernel.forget_paths()
        path = f"{self._kernel.path_of(change.directory)}/{change.name}"
        is_ours = path.startswith(self._paths) or any(p.startswith(f"{path}/") for p in self._paths)
        is_moved = change.mask & WRITTEN
        return [self._lost(before, f"{path} was moved there")] if is_ours and is_moved else []

    def _changed(self, word: str, path: str, pid: int) -> JSON:
        kind = kind_of(path)
        said = {"type": "file-changed", "at": self._now(), "change": word, "path": path, "pid": pid}
        said |= {"kind": kind.kind if kind else None, "name": name_of(kind, path) if kind else ""}
        try:
            raw = self._content(path) if word == "written" else None
        except OSError:
            raw = None  # it has gone, or is a mount namespace
        if raw is None:
            return said
        content = understand(kind.kind if kind else "", raw)
        return {**said, "sha256": content.sha256, "parts": content.parts, "made_by": content.made_by}

    def _content(self, path: str) -> bytes | None:
        """Of a file of sensible size; not by a link, a pipe or a device in its place."""
        descriptor = os.open(self._root + path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            return file.read() if os.fstat(descriptor).st_size <= LARGEST else None

    def _lost(self, since: int, why: str) -> JSON:
        return {"type": "lost", "source": "files", "at": self._now(), "since": since, "why": why}


def matters(path: str) -> bool:
    """Whether a file is one of those to tell of; what snapd writes first under another name is not."""
    if path == SYSTEM_KEY:
        return True
    if os.path.dirname(path) == NAMESPACES:
        return path.endswith(OF_NAMESPACES)
    return kind_of(path) is not None and not path.endswith("~")
