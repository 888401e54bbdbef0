# SPDX-License-Identifier: GPL-3.0-only
"""Reads pages of the kernel's trace ring buffer (include/linux/ring_buffer.h, libtraceevent's kbuffer).

Binary pages and not the text of trace_pipe: names of programs may hold line breaks, with which a program
could write lines of its own into the text; and text has no nanoseconds.
"""

from __future__ import annotations

import os
import struct

PAGE_SIZE = 4096
PADDING, TIME_EXTEND, TIME_STAMP = 29, 30, 31
DELTA_BITS = 27
MISSED_EVENTS = 1 << 31
SIZE_MASK = (1 << 20) - 1
# An absolute stamp lacks the five highest bits, which it shares with the page's.
ABSOLUTE_MASK = (1 << 59) - 1

_HEAD = struct.Struct("<QQ")
_WORDS = struct.Struct("<II")


def open_buffers(place: str) -> list[int]:
    """The buffers of all CPUs of a trace at `place`, to be read without waiting. Raises OSError."""
    names = sorted(name for name in os.listdir(f"{place}/per_cpu") if name.startswith("cpu"))
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    return [os.open(f"{place}/per_cpu/{name}/trace_pipe_raw", flags) for name in names]


def read_page(raw: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """The records of a page with their times, and whether some before them were overwritten.

    A page that is damaged ends where the damage begins.
    """
    if len(raw) < _HEAD.size:
        return [], False
    time, commit = _HEAD.unpack_from(raw)
    ends = min(len(raw), _HEAD.size + (commit & SIZE_MASK))
    return _records(raw, time, ends), bool(commit & MISSED_EVENTS)


def _records(raw: bytes, time: int, ends: int) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    place = _HEAD.size
    while place + 8 <= ends:
        head, word = _WORDS.unpack_from(raw, place)
        kind, delta = head & 31, head >> 5
        place += 4
        if kind in (TIME_EXTEND, TIME_STAMP):
            stamp = (word << DELTA_BITS) + delta
            time = time + stamp if kind == TIME_EXTEND else (time & ~ABSOLUTE_MASK) | (stamp & ABSOLUTE_MASK)
            place += 4
            continue
        time += delta
        if kind == PADDING:
            if not delta:
                break  # nothing but padding to the page's end
            place += max(word, 4)
            continue
        if kind:
            size = kind * 4
        else:
            place += 4
            size = (max(word, 4) - 4 + 3) & ~3
        if place + size > ends:
            break
        found.append((time, raw[place : place + size]))
        place += size
    return found
