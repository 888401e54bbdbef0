# SPDX-License-Identifier: GPL-3.0-only
"""Files that are there whole or not at all: written beside their place, then renamed into it.

What is to be found again after the host itself went down is flushed to its disk before it is relied on.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from harness.errors import HostLacks


def write_whole(path: Path, text: str, *, durable: bool = False) -> None:
    """Write a text file in UTF-8; what was there before stays until the new one is complete.

    With `durable` that holds also when the host goes down. What is no regular file (a terminal, a pipe,
    /dev/null) is written to and not replaced.

    :raise HostLacks: it cannot be written.
    """
    place = path.resolve()
    unfinished = place.with_name(f".{place.name}.{os.getpid()}.new")
    direct = place.exists() and not place.is_file()
    target = place if direct else unfinished
    try:
        target.write_text(text, encoding="utf-8")
        if not direct:
            if durable:
                _flush(unfinished)
            unfinished.replace(place)
    except OSError as error:
        hint = "give a file in a directory that you can write to, on a file system with space"
        raise HostLacks(f"cannot write {path}: {error.strerror}", hint=hint) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def make_durable(paths: Iterable[Path]) -> None:
    """Have the kernel write to its disk what these files hold; takes as long as the disk does.

    :raise HostLacks: the disk is full, or fails.
    """
    for path in paths:
        try:
            _flush(path)
        except OSError as error:
            raise HostLacks(f"cannot write {path} to the disk: {error.strerror}") from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
