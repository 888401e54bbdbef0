# SPDX-License-Identifier: GPL-3.0-only
"""A plain disk in one state, as a cut leaves it: the journal is not replayed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.cut.states import epochs
from harness.cut.write_log import DISCARD, Entry
from harness.errors import HostLacks, Mistake
from harness.host.process import CommandFailed, run
from harness.model.sweep import Cut
from harness.sweep.recording import Opened

_AT_ONCE = 1 << 20  # bytes


@contextmanager
def state_disk(opened: Opened, cut: Cut, place: Path) -> Iterator[Path]:
    """The whole disk in the state after `cut`, as the raw file `place`, for the life of the block.

    Takes the space of the base's content and of what was written; seconds at most.

    :raise HostLacks: there is no space.
    :raise Mistake: the log has no such cut.
    """
    entries = list(surviving(opened, cut))
    try:
        run(["cp", "--sparse=always", "--reflink=auto", opened.raw, place])
        with place.open("r+b") as disk:
            for entry in entries:
                _carry_out(disk.fileno(), opened, entry)
        yield place
    except CommandFailed as error:
        raise HostLacks(f"cannot make a disk for the {cut}: {error.stderr_tail}") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise HostLacks(f"cannot make a disk for the {cut}: {place.parent} is full") from error
    finally:
        place.unlink(missing_ok=True)


def surviving(opened: Opened, cut: Cut) -> Iterator[Entry]:
    """The entries that are on the disk after the cut."""
    found = epochs(opened.log.entries)
    if not 0 <= cut.flush <= len(found):
        raise Mistake(f"cannot find the {cut}: the log ends at flush {len(found)}")
    end = found[cut.flush - 1].end if cut.flush else 0
    return (entry for entry in opened.log.entries[:end] if entry.writes and entry.number != cut.dropped)


def _carry_out(disk: int, opened: Opened, entry: Entry) -> None:
    if entry.flags & DISCARD:
        _zero(disk, entry.start, entry.end)
        return
    for done in range(0, entry.length, _AT_ONCE):
        content = opened.read_log(entry.data + done, min(_AT_ONCE, entry.length - done))
        os.pwrite(disk, content, entry.start + done)


def _zero(disk: int, start: int, end: int) -> None:
    """Make a range read as zeros; holes stay holes."""
    for first, last in _data(disk, start, end):
        for at in range(first, last, _AT_ONCE):
            os.pwrite(disk, bytes(min(_AT_ONCE, last - at)), at)


def _data(disk: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a range that are no holes."""
    while start < end:
        try:
            first = os.lseek(disk, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        start = os.lseek(disk, first, os.SEEK_HOLE)
        if first < end:
            yield first, min(start, end)
