# SPDX-License-Identifier: GPL-3.0-only
"""A log of writes is read as it is, or its end is told; garbage is an error of ours."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cut.write_log import DISCARD, FLUSH, FUA, MARK, WriteLog, parse
from harness.errors import RecordUnusable
from tests.unit.cut.write_logs import A_FLUSH, SECTOR, Write, header, log_of, reader, superblock

DISK = 1 << 20
WRITES = (
    Write(8, 2, 0, b"first"),
    A_FLUSH,
    Write(16, 4, DISCARD),
    Write(32, 1, FUA, b"second"),
    Write(0, 0, MARK),
    A_FLUSH,
)


def parsed(content: bytes, disk: int = DISK) -> WriteLog:
    return parse(reader(content), len(content), disk)


def test_every_kind_of_entry_is_where_it_is() -> None:
    content = log_of(WRITES)
    log = parsed(content)
    assert log.gap == ""
    assert [(e.start, e.length, e.flags) for e in log.entries] == [
        (8 * SECTOR, 2 * SECTOR, 0),
        (0, 0, FLUSH),
        (16 * SECTOR, 4 * SECTOR, DISCARD),
        (32 * SECTOR, SECTOR, FUA),
        (0, 0, MARK),
        (0, 0, FLUSH),
    ]
    assert [e.writes for e in log.entries] == [True, False, True, True, False, False]
    assert [e.durable for e in log.entries] == [False, False, False, True, False, False]
    assert [e.number for e in log.entries] == list(range(6))
    assert content[log.entries[0].data :].startswith(b"first")
    assert content[log.entries[3].data :].startswith(b"second")


def test_addresses_are_in_sectors_of_the_log() -> None:
    first = struct.pack("<QQQQ", 3, 2, 0, 0).ljust(4096, b"\0") + b"x" * 8192
    content = superblock(1, sector=4096).ljust(4096, b"\0") + first
    (entry,) = parsed(content).entries
    assert (entry.start, entry.length, entry.data) == (3 * 4096, 8192, 8192)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "it has 0 bytes"),
        (superblock(1)[:20], "it has 20 bytes"),
        (superblock(1, magic=7), "begins with 0x7"),
        (superblock(1, version=2), "version 2, not 1"),
        (superblock(1, sector=0), "sectors have 0 bytes"),
        (superblock(1, sector=768), "sectors have 768 bytes"),
        (superblock(1, sector=1 << 24), "sectors have 16777216 bytes"),
        (superblock(1, sector=256), "sectors have 256 bytes"),
    ],
)
def test_what_is_no_log_is_said(content: bytes, complaint: str) -> None:
    with pytest.raises(RecordUnusable, match=complaint):
        parsed(content)


@pytest.mark.parametrize(
    ("writes", "counted", "gap"),
    [
        (WRITES, 9, "breaks off at entry 6: the log counts 9 and ends before it"),
        ((*WRITES, Write(1, 9, 0)), 7, ""),
        ((A_FLUSH, Write(0, 0, 0), A_FLUSH), 3, "breaks off at entry 1: it was not written"),
        ((A_FLUSH, Write(0, 1, 1 << 40)), 2, "at entry 1: its flags are 0x10000000000"),
        (
            (Write(DISK // SECTOR, 1),),
            1,
            f"entry 0: it writes up to byte {DISK + SECTOR} of a disk of {DISK}",
        ),
    ],
)
def test_where_the_log_breaks_off_is_told(writes: tuple[Write, ...], counted: int, gap: str) -> None:
    log = parsed(log_of(writes, counted))
    assert log.gap.endswith(gap)
    assert bool(log.gap) == bool(gap)


def test_data_that_are_not_all_there_are_no_entry() -> None:
    log = parsed(log_of(WRITES[:1])[:-1])
    assert log.entries == ()
    assert "its 1024 bytes go beyond the end of the log" in log.gap


def test_a_length_that_no_file_can_have_ends_the_log() -> None:
    content = superblock(2) + header(Write(0, 1 << 60)) + header(A_FLUSH)
    assert parsed(content).entries == ()


def test_a_count_that_no_file_can_have_is_not_waited_for() -> None:
    assert len(parsed(log_of(WRITES, 1 << 63)).entries) == len(WRITES)


@given(st.integers(0, len(log_of(WRITES))))
def test_a_log_that_is_cut_anywhere_is_a_beginning_of_it(length: int) -> None:
    whole = parsed(log_of(WRITES)).entries
    try:
        log = parsed(log_of(WRITES)[:length])
    except RecordUnusable:
        assert length < 28
        return
    assert log.entries == whole[: len(log.entries)]
    assert bool(log.gap) == (len(log.entries) < len(whole))


@given(st.binary(max_size=4096), st.integers(0, 1 << 64 - 1), st.booleans())
def test_garbage_is_an_error_of_ours_or_a_gap(garbage: bytes, counted: int, begins_well: bool) -> None:
    content = superblock(min(counted, 2**64 - 1)) + garbage if begins_well else garbage
    try:
        log = parsed(content)
    except RecordUnusable:
        return
    assert all(entry.data <= len(content) and entry.end <= DISK for entry in log.entries if entry.writes)
