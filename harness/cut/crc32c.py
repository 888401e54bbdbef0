# SPDX-License-Identifier: GPL-3.0-only
"""CRC-32C (Castagnoli, RFC 3720 appendix B.4), which ext4 and its journal use; Python has only CRC-32.

Not inverted at its end, as the kernel's `crc32c()`: sums can so be continued over several pieces.
"""

from __future__ import annotations

import functools
import struct

_POLYNOMIAL = 0x82F63B78


@functools.cache
def _table() -> tuple[int, ...]:
    """For two bytes at once: half the steps of the usual table."""
    bytewise = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901 - a shift register
        bytewise.append(value)
    return tuple(
        bytewise[bytewise[pair & 0xFF] & 0xFF ^ pair >> 8] ^ bytewise[pair & 0xFF] >> 8
        for pair in range(1 << 16)
    )


def crc32c(data: bytes, start: int = 0xFFFFFFFF) -> int:
    """The sum over `data` on from `start`, of an even number of bytes.

    :raise ValueError: the number of bytes is odd.
    """
    if len(data) % 2:
        raise ValueError("crc32c takes bytes in pairs")
    table, crc = _table(), start
    for pair in struct.unpack(f"<{len(data) // 2}H", data):
        crc = table[(crc ^ pair) & 0xFFFF] ^ crc >> 16
    return crc
