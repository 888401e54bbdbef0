# SPDX-License-Identifier: GPL-3.0-only
"""A program for the tests: loads two seccomp programs into itself, says so, and echoes its input."""

from __future__ import annotations

import ctypes
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW = struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000)  # BPF_RET | BPF_K, SECCOMP_RET_ALLOW
NOTHING = struct.pack("<HBBI", 0x00, 0, 0, 0)  # BPF_LD | BPF_IMM
PROGRAMS = (NOTHING + ALLOW, NOTHING * 3 + ALLOW)


class SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for program in PROGRAMS:
        loaded = SockFprog(len(program) // 8, program)
        if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(loaded)):
            sys.exit(f"prctl: {ctypes.get_errno()}")
    print("loaded", flush=True)
    for line in sys.stdin:
        print(line, end="", flush=True)


if __name__ == "__main__":
    main()
