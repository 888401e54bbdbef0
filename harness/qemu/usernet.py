# SPDX-License-Identifier: GPL-3.0-only
"""Reads which ports of the host lead to which ports of the guest."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A line of `info usernet` (libslirp, slirp_connection_info); the same in QEMU 7.2 and 10.0:
#   TCP[HOST_FORWARD]  12       127.0.0.1 38391       10.0.2.15    22     0     0
_FORWARD = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\b")


@dataclass(frozen=True, slots=True)
class Forward:
    """A listening port of the host and where in the guest it leads to."""

    host_address: str
    host_port: int
    guest_port: int


def parse_forwards(info_usernet: str) -> tuple[Forward, ...]:
    """The forwards in the answer to `info usernet`, in its order."""
    return tuple(
        Forward(host_address=found[1], host_port=int(found[2]), guest_port=int(found[4]))
        for found in _FORWARD.finditer(info_usernet)
    )
