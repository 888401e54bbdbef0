# SPDX-License-Identifier: GPL-3.0-only
"""What a cut of power leaves: the disk as it was before, and what was written to it up to the last flush.

Everything after that flush is lost, of what the disk was given too; that is the most that a disk with a
write cache may lose. What the guest's kernel had not written is lost anyhow, because the QEMU is killed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.cut.write_log import DISCARD, Entry, WriteLog, parse
from harness.errors import RecordUnusable
from harness.qemu.disk import create_overlay, write_into

_NO_BOUND = 1 << 63
_AT_ONCE = 1 << 24  # bytes


def surviving_disk(base: Path, log: Path, overlay: Path) -> Path:
    """A new qcow2 `overlay` on `base` with the writes that `log` has up to its last flush.

    :raise HostLacks: there is no space, or no QEMU.
    :raise RecordUnusable: the log is none, or breaks off.
    """
    create_overlay(base, overlay)
    if log.stat().st_size == 0:
        return overlay  # QEMU writes its first bytes with the first request
    descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _write(overlay, descriptor, durable(_parsed(descriptor, log)))
    finally:
        os.close(descriptor)
    return overlay


def durable(log: WriteLog) -> Sequence[Entry]:
    """The entries that no cut after the log's end can have lost.

    A flush that carries data flushes what is before it; a request with FUA keeps itself, not those before it.
    """
    last = max((entry.number for entry in log.entries if entry.flushes), default=-1)
    return [e for e in log.entries if e.writes and (e.number < last or e.durable)]


def _parsed(descriptor: int, log: Path) -> WriteLog:
    found = parse(lambda offset, length: os.pread(descriptor, length, offset), log.stat().st_size, _NO_BOUND)
    if found.gap:
        raise RecordUnusable(f"cannot tell what a cut of power left: {found.gap}")
    return found


def _write(overlay: Path, log: int, entries: Sequence[Entry]) -> None:
    """Put the entries in order into a file with holes, and its written ranges into the overlay."""
    with tempfile.TemporaryFile(prefix="cut-", dir=overlay.parent) as whole:
        disk = whole.fileno()
        for entry in entries:
            content = b"" if entry.flags & DISCARD else os.pread(log, entry.length, entry.data)
            os.pwrite(disk, content.ljust(entry.length, b"\0"), entry.start)
        contents = ((start, os.pread(disk, end - start, start)) for start, end in _ranges(entries))
        write_into(overlay, contents, overlay.parent)


def _ranges(entries: Sequence[Entry]) -> Iterator[tuple[int, int]]:
    """What the entries cover, in ranges that do not touch, none longer than is read at once."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted((entry.start, entry.end) for entry in entries):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    for start, end in joined:
        for at in range(start, end, _AT_ONCE):
            yield at, min(at + _AT_ONCE, end)
