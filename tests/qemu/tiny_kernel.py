# SPDX-License-Identifier: GPL-3.0-only
"""Kernels of a few bytes for QEMU's `-kernel`: real mode code behind a Linux boot header.

The header is that of Documentation/arch/x86/boot.rst, protocol 2.02; the code starts at 0x26c. A
machine with one is through its firmware and done in 0.15 s under TCG.
"""

from __future__ import annotations

import struct
from pathlib import Path

HALT = b"\xfa\xf4\xeb\xfd"  # cli; 1: hlt; jmp 1b
POWER_OFF = b"\xba\x04\x06\xb8\x00\x20\xef" + HALT  # outw $0x2000, $0x604: ACPI S5 of q35
PANIC = b"\xba\x05\x05\xb0\x01\xee" + HALT  # outb $1, $0x505: pvpanic
RESET = b"\xb0\xfe\xe6\x64" + HALT  # outb $0xfe, $0x64: the keyboard controller's reset
TRIPLE_FAULT = b"\x0f\x01\x1e\x10\x00\xcc"  # lidt of zeros (no vector fits), then int3


def say(text: str) -> bytes:
    """Code that writes the text to the first serial port, without waiting: the FIFO is QEMU's."""
    return b"\xba\xf8\x03" + b"".join(b"\xb0" + bytes([byte]) + b"\xee" for byte in text.encode())


def write_kernel(path: Path, *code: bytes) -> Path:
    """A file for `-kernel` that carries out the pieces of code one after another."""
    image = bytearray(3 * 512)
    image[0x1F1] = 1  # one setup sector
    struct.pack_into("<H", image, 0x1FE, 0xAA55)
    image[0x200:0x206] = b"\xeb\x6aHdrS"
    struct.pack_into("<H", image, 0x206, 0x0202)
    image[0x211] = 1  # LOADED_HIGH
    struct.pack_into("<I", image, 0x214, 0x100000)
    joined = b"".join(code)
    assert len(joined) <= 1024 - 0x26C, "the setup sector is full"
    image[0x26C : 0x26C + len(joined)] = joined
    path.write_bytes(image)
    return path
