# SPDX-License-Identifier: GPL-3.0-only
"""Sees a file appear without asking again and again (inotify(7))."""

from __future__ import annotations

import ctypes
import os

IN_CLOSE_WRITE = 0x8
IN_MOVED_TO = 0x80
IN_NONBLOCK = os.O_NONBLOCK
IN_CLOEXEC = os.O_CLOEXEC


class Marker:
    """A file in an existing directory; `descriptor` becomes readable when something was written there."""

    def __init__(self, path: str) -> None:
        self._path = path
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        watched = libc.inotify_add_watch(
            self.descriptor, os.fsencode(os.path.dirname(path)), IN_CLOSE_WRITE | IN_MOVED_TO
        )
        if watched < 0:
            raise OSError(ctypes.get_errno(), f"cannot watch for {path}")

    def seen(self) -> bool:
        """Whether the file is there; forgets what made the descriptor readable."""
        try:
            while os.read(self.descriptor, 4096):
                continue
        except BlockingIOError:
            pass
        return os.path.exists(self._path)
