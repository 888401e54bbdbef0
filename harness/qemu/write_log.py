# SPDX-License-Identifier: GPL-3.0-only
"""A disk whose writes are kept in order beside it, so that a cut can be tried out later; pure.

Facts about QEMU's `blklogwrites` driver that shape the node:

* A flush is logged only where the node itself takes flushes: `no-flush` on it would leave a log without
  any. Whether the node below takes them does not matter to the log.
* The log's superblock counts the entries. It is written at every flush and at every so many entries; with
  1 it is right also when QEMU is killed. It is flushed each time, which `no-flush` of the log's node spares.
* `log-append: false` does not empty the log's file, which must be there: it has to be new.
* QEMU 7.2 logs a "write zeroes" request in two parts, between which another request may take the place of
  the second, and the rest of the log is then garbage. A device with `write-zeroes=off` has the guest write
  the zeros itself.
* Addresses count in sectors of the log. A log sector is also the alignment of requests, so 512 bytes take
  every request as the guest sent it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

LOG_SECTOR = 512  # bytes
LOGGED_DEVICE = "write-zeroes=off"


def logged(node: Mapping[str, object], log: Path) -> dict[str, object]:
    """The block node `node` under a filter of the same name that keeps its writes in `log`, an empty file."""
    below = {key: value for key, value in node.items() if key != "node-name"}
    cache = {"direct": False, "no-flush": False}
    kept = {"driver": "file", "filename": str(log), "cache": {"direct": False, "no-flush": True}}
    return {
        "driver": "blklogwrites",
        "node-name": node["node-name"],
        "file": below,
        "log": kept,
        "log-append": False,
        "log-sector-size": LOG_SECTOR,
        "log-super-update-interval": 1,
        "cache": cache,
        "discard": "unmap",
    }
