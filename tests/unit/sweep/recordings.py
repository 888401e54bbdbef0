# SPDX-License-Identifier: GPL-3.0-only
"""Recorded runs without a guest: e2fsprogs change a file system, and what became different is the log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.qemu.command import DiskFormat
from harness.sweep import Recording
from tests.unit.cut.disks import debugfs, make_disk
from tests.unit.cut.write_logs import A_FLUSH, SECTOR, Write, log_of

BLOCK = 4096


def record(directory: Path, *changes: Sequence[str]) -> Recording:
    """A disk, and a log in which a flush follows the writes that each change made; blocks of 4 KiB."""
    base = make_disk(directory / "base", {"one": b"1" * 9000, "two": b"2"}, "-b", str(BLOCK))
    disk = directory / "later"
    disk.write_bytes(base.read_bytes())
    writes: list[Write] = []
    for change in changes:
        before = disk.read_bytes()
        debugfs(disk, *change)
        writes += [*difference(before, disk.read_bytes()), A_FLUSH]
    (directory / "log").write_bytes(log_of(writes))
    return Recording(base=base, log=directory / "log", base_format=DiskFormat.RAW)


def difference(before: bytes, after: bytes) -> list[Write]:
    """A write for each block that is another one."""
    each = BLOCK // SECTOR
    return [
        Write(at // SECTOR, each, 0, after[at : at + BLOCK])
        for at in range(0, len(after), BLOCK)
        if before[at : at + BLOCK] != after[at : at + BLOCK]
    ]


def new_file(directory: Path, name: str, content: bytes) -> Sequence[str]:
    """The commands of a writer that replaces a file in place."""
    source = directory / f"{name}.{len(content)}"
    source.write_bytes(content)
    return [f"rm policy/{name}", f"write {source} policy/{name}"]
