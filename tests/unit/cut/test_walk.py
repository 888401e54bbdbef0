# SPDX-License-Identifier: GPL-3.0-only
"""States found by where blocks lie are those that carrying the writes out makes."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from harness.cut.blocks import Contents, Part, View
from harness.cut.crc32c import crc32c
from harness.cut.states import Choice, chosen_epochs, cuts, epochs
from harness.cut.walk import walk
from harness.cut.write_log import DISCARD, FLUSH, FUA, Entry, parse
from harness.model.sweep import Cut
from tests.unit.cut.write_logs import SECTOR, Write, log_of, reader

SECTORS = 40
BASE = random.Random(1).randbytes(SECTORS * SECTOR)

WRITES = st.lists(
    st.builds(
        lambda sector, sectors, flags, seed: Write(
            sector, min(sectors, SECTORS - sector), flags, random.Random(seed).randbytes(sectors * SECTOR)
        ),
        st.integers(0, SECTORS - 1),
        st.integers(1, 20),
        st.sampled_from([0, 0, 0, FUA, DISCARD, FLUSH]),
        st.integers(0, 1 << 20),
    )
    | st.just(Write(flags=FLUSH)),
    max_size=14,
).map(lambda writes: [Write(w.sector, w.sectors, w.flags, w.data[: w.sectors * SECTOR]) for w in writes])
PARTS = st.sampled_from(
    [Part(0, SECTORS * SECTOR, 1024), Part(3 * SECTOR, 32 * SECTOR, 4096), Part(1024, 9216, 1024)]
)


def carried_out(entries: tuple[Entry, ...], log: bytes, end: int, dropped: int | None) -> bytes:
    disk = bytearray(BASE)
    for entry in entries[:end]:
        if entry.writes and entry.number != dropped:
            data = (
                bytes(entry.length) if entry.flags & DISCARD else log[entry.data : entry.data + entry.length]
            )
            disk[entry.start : entry.end] = data
    return bytes(disk)


def seen(contents: Contents, view: View) -> bytes:
    part = contents.part
    return b"".join(contents.of(view(block)) for block in range(part.length // part.block))


@given(WRITES, PARTS, st.randoms())
def test_every_state_is_the_disk_that_the_writes_make(
    writes: list[Write], part: Part, order: random.Random
) -> None:
    log = log_of(writes)
    entries = parse(reader(log), len(log), len(BASE)).entries
    assert len(entries) == len(writes)
    contents = Contents(reader(BASE), reader(log), part)
    all_epochs, choice = epochs(entries), Choice()
    found = list(cuts(entries, chosen_epochs(all_epochs, choice), choice))
    order.shuffle(found)
    for cut, view in walk(contents, entries, all_epochs, found):
        end = all_epochs[cut.flush - 1].end if cut.flush else 0
        disk = carried_out(entries, log, end, cut.dropped)
        assert seen(contents, view) == disk[part.start : part.start + part.length // part.block * part.block]


def test_going_back_is_going_anew() -> None:
    log = log_of([Write(0, 2, 0, b"one"), Write(flags=FLUSH), Write(0, 2, 0, b"two"), Write(flags=FLUSH)])
    entries = parse(reader(log), len(log), len(BASE)).entries
    contents = Contents(reader(BASE), reader(log), Part(0, len(BASE), 1024))
    path = walk(contents, entries, epochs(entries), [Cut(2), Cut(0), Cut(1), Cut(2, 2), Cut(1, 0)])
    begins = [contents.of(view(0))[:3] for _, view in path]
    assert begins == [b"two", BASE[:3], b"one", b"one", BASE[:3]]


def test_what_lies_beyond_a_file_reads_as_zeros() -> None:
    contents = Contents(reader(b"base"), reader(b"log"), Part(0, 4096, 1024))
    assert contents.of(-2) == b"base".ljust(1024, b"\0")
    assert contents.of(-3) == bytes(1024)
    assert contents.of(0) == b"log".ljust(1024, b"\0")


def test_the_sum_is_that_of_the_standard() -> None:
    # RFC 3720, appendix B.4.
    ascending = bytes(range(32))
    assert crc32c(bytes(32)) ^ 0xFFFFFFFF == 0x8A9136AA
    assert crc32c(b"\xff" * 32) ^ 0xFFFFFFFF == 0x62A8AB43
    assert crc32c(ascending) ^ 0xFFFFFFFF == 0x46DD794E
    assert crc32c(ascending[16:], crc32c(ascending[:16])) == crc32c(ascending)
