# SPDX-License-Identifier: GPL-3.0-only
"""A disk that a machine can be started from, in one state of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.cut.write_log import Entry
from harness.errors import HostLacks
from harness.host.process import CommandFailed
from harness.model.sweep import Cut
from harness.qemu.disk import create_overlay, write_into
from harness.sweep.recording import Recording, opened
from harness.sweep.state_disk import state_disk, surviving

CLUSTER = 1 << 16  # bytes: qemu-img's own; writing whole ones spares QEMU to fill them up from the base
_AT_ONCE = 1 << 24  # bytes


def bootable(recording: Recording, cut: Cut, directory: Path, overlay: Path) -> Path:
    """A new qcow2 `overlay` on the recording's base, which reads as the disk after the cut.

    The journal is as the cut left it: to replay it is the guest's work. `directory` is the sweep's; for a
    moment it also holds the disk as a plain file.

    :raise HostLacks: there is no space, or no QEMU.
    :raise Mistake: the log has no such cut, or a file is not there.
    :raise RecordUnusable: the log is none.
    """
    with (
        opened(recording, directory) as it,
        state_disk(it, cut, directory / f"{overlay.name}.raw") as raw,
    ):
        ranges = changed(surviving(it, cut), raw.stat().st_size)
        try:
            create_overlay(recording.base, overlay, base_format=recording.base_format)
            write_into(overlay, _contents(raw, ranges), directory)
        except CommandFailed as error:
            overlay.unlink(missing_ok=True)
            raise HostLacks(f"cannot make a disk for the {cut}: {error.stderr_tail}") from error
    return overlay


def changed(entries: Iterable[Entry], size: int) -> Iterator[tuple[int, int]]:
    """The parts of a disk of `size` bytes that entries touch, in whole clusters: each begin and end."""
    clusters = sorted(
        {cluster for entry in entries for cluster in range(entry.start // CLUSTER, -(-entry.end // CLUSTER))}
    )
    first = 0
    for number, cluster in enumerate(clusters, 1):
        ends = number == len(clusters) or clusters[number] != cluster + 1
        full = (number - first) * CLUSTER >= _AT_ONCE
        if ends or full:
            yield clusters[first] * CLUSTER, min((cluster + 1) * CLUSTER, size)
            first = number


def _contents(raw: Path, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """What a plain disk has in these ranges."""
    with raw.open("rb") as disk:
        for begin, end in ranges:
            disk.seek(begin)
            yield begin, disk.read(end - begin)
