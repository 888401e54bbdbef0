# SPDX-License-Identifier: GPL-3.0-only
"""Reads files of /proc and /sys with as few calls as there can be: a start takes dozens of them.

`open()` makes a buffer and a decoder and asks for size and position, which takes as long as the reading.
"""

from __future__ import annotations

import os

CHUNK = 1 << 14


def read_bytes(path: str) -> bytes:
    """The whole content. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: os.read(descriptor, CHUNK), b""))
    finally:
        os.close(descriptor)


def read_text(path: str) -> str:
    """The same as text, in which a byte that is not UTF-8 becomes `\\xNN`. Raises OSError."""
    return read_bytes(path).decode("utf-8", "backslashreplace")
