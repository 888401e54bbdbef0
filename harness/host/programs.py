# SPDX-License-Identifier: GPL-3.0-only
"""Which programs the host has, and which package brings those that it lacks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.errors import HostLacks

# The Debian and Ubuntu packages of the programs the harness calls.
PACKAGES = {
    "debugfs": "e2fsprogs",
    "dpkg-deb": "dpkg",
    "e2fsck": "e2fsprogs",
    "gpgv": "gpgv",
    "mke2fs": "e2fsprogs",
    "mkfs.ext4": "e2fsprogs",
    "mksquashfs": "squashfs-tools",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "qemu-img": "qemu-utils",
    "qemu-io": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
    "sqfstar": "squashfs-tools",
    "tune2fs": "e2fsprogs",
    "unshare": "util-linux",
    "unsquashfs": "squashfs-tools",
    "xz": "xz-utils",
    "zstd": "zstd",
}


def find_program(name: str) -> Path | None:
    """Where the program is, or None; the sbin directories count, which a user's PATH leaves out."""
    program = _which(name, os.environ)
    return Path(program) if program else None


def lacking(name: str) -> HostLacks:
    """The error for a missing program, with the Debian package that has it when that is known."""
    package = PACKAGES.get(Path(name).name)
    hint = f"on Debian or Ubuntu: apt-get install {package}" if package else ""
    return HostLacks(f"cannot run {name}: no such program on this host", hint=hint)


def found(name: str, env: Mapping[str, str] | None = None) -> str:
    """The path of a program, searched in `env`'s PATH (default: ours).

    :raise HostLacks: it is not there; names the package that has it.
    """
    program = _which(name, os.environ if env is None else env)
    if program is None:
        raise lacking(name)
    return program


def _which(name: str, env: Mapping[str, str]) -> str | None:
    directories = (env.get("PATH", os.defpath), "/usr/sbin", "/sbin")
    return shutil.which(name, path=os.pathsep.join(directories))
