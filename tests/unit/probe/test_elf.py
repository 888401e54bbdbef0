# SPDX-License-Identifier: GPL-3.0-only
"""Build ids, of files made here and of the host's own."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.probe import elf

GNU = (b"GNU\0", 3)
GO = (b"Go\0\0", 4)


def note(owner: bytes, kind: int, content: bytes) -> bytes:
    padded = content + bytes(-len(content) % 4)
    return struct.pack("<III", len(owner), len(content), kind) + owner + bytes(-len(owner) % 4) + padded


def elf64(*segments: bytes) -> bytes:
    """An ELF file of note segments only."""
    head = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    )
    table, content = b"", b""
    for segment in segments:
        offset = 64 + 56 * len(segments) + len(content)
        table += struct.pack("<IIQQQQQQ", elf.PT_NOTE, 4, offset, 0, 0, len(segment), len(segment), 4)
        content += segment
    return head + table + content


def elf64_with_a_section(segment: bytes, section: bytes) -> bytes:
    """A segment of notes, and a section of notes that no segment covers: as Go's linker lays out 2.77.1."""
    plain = elf64(segment)
    table = len(plain) + len(section)
    names = struct.pack("<QIHHHHHH", table, 0, 64, 56, 1, 64, 1, 0)
    row = struct.pack("<IIQQQQIIQQ", 0, elf.SHT_NOTE, 0, 0, len(plain), len(section), 0, 0, 4, 0)
    return plain[:40] + names + plain[64:] + section + row


def elf32(segment: bytes) -> bytes:
    head = (
        b"\x7fELF\x01\x01\x01"
        + bytes(9)
        + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    )
    return (
        head
        + struct.pack("<IIIIIIII", elf.PT_NOTE, 52 + 32, 0, 0, len(segment), len(segment), 4, 4)
        + segment
    )


def read(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "program"
    path.write_bytes(content)
    return elf.build_id(str(path))


def test_the_gnu_note_wins_over_gos_wherever_it_lies(tmp_path: Path) -> None:
    go, gnu = note(*GO, b"abc/def"), note(*GNU, b"\x12\x34")
    assert read(tmp_path, elf64(go + gnu)) == "1234"
    assert read(tmp_path, elf64(go, gnu)) == "1234"
    assert read(tmp_path, elf64_with_a_section(go, gnu)) == "1234"


def test_gos_note_is_the_hex_of_its_text_as_in_a_system_key(tmp_path: Path) -> None:
    assert read(tmp_path, elf64(note(b"Other", 3, b"zz"), note(*GO, b"abc/def"))) == b"abc/def".hex()


def test_files_of_32_bit_machines_are_read_too(tmp_path: Path) -> None:
    assert read(tmp_path, elf32(note(*GNU, b"\xaa"))) == "aa"


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\n" * 20, b"\x7fELF", elf64()], ids=["empty", "script", "torn", "bare"]
)
def test_what_has_no_build_id_gives_none(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content) == ""


def test_the_hosts_own_programs_have_one() -> None:
    assert len(elf.build_id("/bin/true")) == 40


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, 300))
def test_no_content_makes_it_raise(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int
) -> None:
    whole = elf64(note(*GNU, b"\x12\x34"))
    read(tmp_path_factory.getbasetemp(), whole[:place] + noise + whole[place + len(noise) :])
