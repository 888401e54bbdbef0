# SPDX-License-Identifier: GPL-3.0-only
"""The disk that carries a run's snaps into the guest: read-only, and not compressed a second time."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from harness.host import process
from harness.image.digest import key_of
from harness.image.snapfile import SnapFile
from harness.image.store import MIB
from harness.image.tree import SOURCE_DATE_EPOCH
from harness.image.workshop import Workshop


def build_payload(snaps: Mapping[str, SnapFile], workshop: Workshop) -> Path:
    """A raw disk, one squashfs, with the snaps under the file names given; from the store if there."""
    key = key_of(kind="payload", snaps={name: snap.sha256 for name, snap in snaps.items()})
    size = sum(snap.path.stat().st_size for snap in snaps.values())

    def make(directory: Path) -> None:
        workshop.tell(f"putting {len(snaps)} snaps on a disk")
        _squash(snaps, directory)

    return workshop.store.obtain("payloads", key, make, needs=2 * size + MIB) / "payload.img"


def _squash(snaps: Mapping[str, SnapFile], directory: Path) -> None:
    empty, pseudo = directory / "empty", directory / "pseudo"
    empty.mkdir()
    pseudo.write_text("".join(_line(name, snap.path) for name, snap in sorted(snaps.items())))
    epoch = str(SOURCE_DATE_EPOCH)
    process.run(
        [
            "mksquashfs", empty, directory / "payload.img", "-quiet", "-no-progress", "-all-root",
            "-noI", "-noD", "-noF", "-noX", "-mkfs-time", epoch, "-all-time", epoch, "-pf", pseudo,
        ]
    )  # fmt: skip
    empty.rmdir()
    pseudo.unlink()


def _line(name: str, path: Path) -> str:
    """A file whose content is a command's output (mksquashfs(1), pseudo files)."""
    return f"/{name} f 444 0 0 cat {shlex.quote(str(path.absolute()))}\n"
