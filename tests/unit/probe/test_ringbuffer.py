# SPDX-License-Identifier: GPL-3.0-only
"""Pages of the kernel's trace buffer, put together as kernel/trace/ring_buffer.c does."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from harness.probe.ringbuffer import MISSED_EVENTS, PADDING, PAGE_SIZE, TIME_EXTEND, TIME_STAMP, read_page

START = 0x3000_0000_0000_0005


def page(*records: bytes, time: int = START, missed: bool = False) -> bytes:
    data = b"".join(records)
    return (struct.pack("<QQ", time, len(data) | (MISSED_EVENTS if missed else 0)) + data).ljust(
        PAGE_SIZE, b"\0"
    )


def head(kind: int, delta: int) -> bytes:
    return struct.pack("<I", delta << 5 | kind)


def small(delta: int, payload: bytes) -> bytes:
    return head(len(payload) // 4, delta) + payload


def test_times_are_summed_up_from_the_pages_own() -> None:
    raw = page(small(3, b"abcd"), small(4, b"efghijkl"))
    assert read_page(raw) == ([(START + 3, b"abcd"), (START + 7, b"efghijkl")], False)


def test_a_long_record_says_its_size() -> None:
    payload = b"x" * 200
    raw = page(head(0, 1) + struct.pack("<I", 204) + payload, small(1, b"next"))
    assert read_page(raw)[0] == [(START + 1, payload), (START + 2, b"next")]


def test_a_long_time_between_two_records_is_a_record_of_its_own() -> None:
    raw = page(head(TIME_EXTEND, 5) + struct.pack("<I", 2), small(1, b"late"))
    assert read_page(raw)[0] == [(START + (2 << 27) + 5 + 1, b"late")]


def test_an_absolute_time_lacks_its_highest_bits() -> None:
    raw = page(head(TIME_STAMP, 9) + struct.pack("<I", 1), small(1, b"then"))
    assert read_page(raw)[0] == [(0x3000_0000_0000_0000 + (1 << 27) + 10, b"then")]


def test_a_record_that_was_thrown_away_still_takes_time() -> None:
    raw = page(head(PADDING, 6) + struct.pack("<I", 8) + bytes(4), small(1, b"next"))
    assert read_page(raw)[0] == [(START + 7, b"next")]


def test_padding_without_a_time_fills_the_page() -> None:
    assert read_page(page(small(1, b"last"), head(PADDING, 0), small(1, b"junk")))[0] == [
        (START + 1, b"last")
    ]


def test_what_was_overwritten_before_is_told() -> None:
    assert read_page(page(small(1, b"abcd"), missed=True))[1]


def test_what_lies_beyond_the_pages_size_is_not_read() -> None:
    data = small(1, b"abcd")
    raw = struct.pack("<QQ", START, len(data)) + data + small(1, b"old!")
    assert read_page(raw)[0] == [(START + 1, b"abcd")]


@given(st.binary(max_size=300), st.integers(0, 2**64 - 1))
def test_no_bytes_make_it_do_worse_than_stop(raw: bytes, commit: int) -> None:
    for at, record in read_page(struct.pack("<QQ", 1, commit) + raw)[0]:
        assert at >= 0
        assert record in raw
    read_page(raw)
