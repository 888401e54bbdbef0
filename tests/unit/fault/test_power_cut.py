# SPDX-License-Identifier: GPL-3.0-only
"""Which of a disk's writes a cut of power cannot have lost."""

from __future__ import annotations

import pytest

from harness.cut.write_log import DISCARD, FLUSH, FUA, MARK, Entry, WriteLog
from harness.fault.power_cut import durable

DATA, EMPTY = 512, 0


def kept(*requests: tuple[int, int]) -> list[int]:
    entries = tuple(Entry(n, n * 512, length, flags, 0) for n, (length, flags) in enumerate(requests))
    return [entry.number for entry in durable(WriteLog(entries))]


@pytest.mark.parametrize(
    ("requests", "numbers"),
    [
        ([], []),
        ([(DATA, 0)], []),
        ([(DATA, 0), (EMPTY, FLUSH)], [0]),
        ([(DATA, 0), (EMPTY, FLUSH), (DATA, 0)], [0]),
        ([(DATA, 0), (EMPTY, FLUSH), (DATA, 0), (EMPTY, FLUSH)], [0, 2]),
        # FUA is for itself: what came before it can be lost although it is kept
        ([(DATA, 0), (DATA, FUA)], [1]),
        # a flush with data is for those before it
        ([(DATA, 0), (DATA, FLUSH)], [0]),
        ([(DATA, 0), (DATA, FLUSH | FUA)], [0, 1]),
        ([(DATA, DISCARD), (EMPTY, FLUSH)], [0]),
        ([(DATA, MARK), (EMPTY, FLUSH)], []),
    ],
)
def test_what_is_kept(requests: list[tuple[int, int]], numbers: list[int]) -> None:
    assert kept(*requests) == numbers
