# SPDX-License-Identifier: GPL-3.0-only
"""Overlays: what one run writes, on top of an image that nobody writes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from harness.errors import HostLacks
from harness.host.process import run
from harness.qemu.command import CacheMode, DiskFormat

MIB = 1024 * 1024
OVERLAY_FREE_MIB = 1024
"""What a run may write before it is worth starting: an upgrade and a revert write 0.3 to 0.6 GiB."""


def free_mib(where: Path) -> int:
    """The space that this user has in the file system of `where`."""
    return shutil.disk_usage(where).free // MIB


def create_overlay(
    base: Path,
    overlay: Path,
    *,
    base_format: DiskFormat = DiskFormat.QCOW2,
    needed_mib: int = OVERLAY_FREE_MIB,
    free: Callable[[Path], int] = free_mib,
) -> Path:
    """A new qcow2 on top of `base`, which stays as it is; instant, whatever the size.

    :raise HostLacks: the image is missing, or less than `needed_mib` MiB are free.
    """
    if not base.is_file():
        raise HostLacks(f"cannot make a disk: the image {base} does not exist")
    if free(overlay.parent) < needed_mib:
        raise _no_space(overlay.parent, free(overlay.parent), needed_mib)
    run(
        [
            "qemu-img", "create", "-q",
            "-f", "qcow2",
            "-F", base_format.value,
            "-b", base.absolute(),
            overlay,
        ]
    )  # fmt: skip
    return overlay


def write_into(overlay: Path, pieces: Iterable[tuple[int, bytes]], scratch: Path) -> None:
    """Write contents into a qcow2, each at its offset in bytes; for a moment they lie in `scratch` too.

    :raise CommandFailed: qemu-io ends with an error.
    :raise HostLacks: not all of it could be written.
    """
    commands = []
    with tempfile.TemporaryDirectory(prefix="pieces-", dir=scratch) as place:
        for number, (start, content) in enumerate(pieces):
            if any(content):
                Path(place, str(number)).write_bytes(content)
                commands.append(f"write -s {number} {start} {len(content)}")
            else:
                commands.append(f"write -z {start} {len(content)}")
        script = "".join(f"{command}\n" for command in commands).encode()
        to = overlay.absolute()
        said = run(["qemu-io", "-f", "qcow2", "-t", "unsafe", to], input=script, cwd=Path(place)).stdout
    # It goes on after a command that fails.
    if said.count(b"wrote ") != len(commands):
        raise HostLacks(f"cannot write to {overlay}: {said.decode(errors='replace')[-300:]}")


def cache_for(*, power_cuts: bool) -> CacheMode:
    """The fastest cache mode under which the plan still means what it says.

    With `unsafe` QEMU ignores the guest's flushes, so that a power cut would lose what a real disk
    keeps.
    """
    return CacheMode.WRITEBACK if power_cuts else CacheMode.UNSAFE


def _no_space(where: Path, free: int, needed: int) -> HostLacks:
    return HostLacks(
        f"cannot make a disk: {where} has {free} MiB free, {needed} MiB are needed",
        hint="free some space, or give a run directory on another file system",
    )
