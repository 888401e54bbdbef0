# SPDX-License-Identifier: GPL-3.0-only
"""What a guest image is made from; every path is absolute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.model.catalogue import Replica, SuitePackage


@dataclass(frozen=True, slots=True)
class KernelRecipe:
    """A kernel package of the recipe's suite; `initrd` modules are loaded early, `keep` ones kept."""

    package: str
    initrd: tuple[str, ...]
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """A kernel and an initrd that the user has."""

    kernel: Path
    initrd: Path


DebSource = SuitePackage | Path


@dataclass(frozen=True, slots=True)
class Unpack:
    """Single files out of a deb, without installing it: path in the deb -> path in the guest."""

    source: DebSource
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRecipe:
    """A guest installed from a Debian suite; `debs` come from elsewhere and are installed too.

    `replica` takes the place of a deb of snapd.
    """

    name: str
    summary: str
    suite: str
    packages: tuple[str, ...]
    kernel: KernelRecipe
    init: Path
    size: int
    cmdline: str
    root: str = "/dev/vda"
    setup: Path | None = None
    debs: tuple[DebSource, ...] = ()
    unpack: tuple[Unpack, ...] = ()
    files: tuple[Path, ...] = ()
    mask: tuple[str, ...] = ()
    replica: Replica | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskRecipe:
    """A qcow2 that the user has, booted by a kernel and initrd of theirs or by ours."""

    name: str
    summary: str
    disk: Path
    boot: KernelFiles | KernelRecipe
    cmdline: str
    root: str
    sha256: str = ""
    suite: str = ""
    init: Path | None = None


Recipe = SuiteRecipe | DiskRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapRecipe:
    """A service snap made of Debian packages: libraries that the cores' roots have are left out.

    `rooted` names the suites whose root file systems the snap must run on.
    """

    name: str
    variant: str
    version: str
    suite: str
    packages: tuple[str, ...]
    rooted: tuple[str, ...]
    files: tuple[Path, ...]
    keep: tuple[str, ...] = ()
