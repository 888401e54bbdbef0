# SPDX-License-Identifier: GPL-3.0-only
"""What the names in a scenario stand for: images, cores and snaps, before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model.spans import Span


@dataclass(frozen=True, slots=True)
class SuitePackage:
    """The package `package` of a Debian suite, pinned by its exact version."""

    suite: str
    version: str
    package: str = "snapd"


@dataclass(frozen=True, slots=True)
class DebFiles:
    """Deb files that the user has; paths are absolute."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SnapFileSource:
    """A snap file that the user has; `sha256` (64 hex digits) pins its content, empty when unpinned."""

    path: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory laid out as the deb's content would be; the path is absolute."""

    path: str


@dataclass(frozen=True, slots=True)
class Replica:
    """A release that is re-created: by its name in harness.replica, and the design that changes it, if any.

    `programs` is the directory of the programs that do it; the path is absolute.
    """

    release: str
    programs: str
    design: str = ""


CoreSource = SuitePackage | DebFiles | SnapFileSource | Tree | Replica


@dataclass(frozen=True, slots=True)
class CoreEntry:
    """A `core` snap under the name that scenarios use, such as ``2.57.6``.

    `claims` is the VERSION that the core's ``usr/lib/snapd/info`` gives when it must differ from the
    package's (snapd re-executes into a core only when that version is not older than the deb's, and
    2.57.6 removes inactive cores that say less than 2.57.6). `snap_variant` names the variant of
    service snaps that runs under this core; empty means the default one. `replica` marks a core that
    re-creates a release rather than being one. `designed_from` names the core of whose entry a design made
    this one; empty when it has an entry of its own.
    """

    name: str
    source: CoreSource
    span: Span
    claims: str = ""
    snap_variant: str = ""
    replica: bool = False
    designed_from: str = ""


@dataclass(frozen=True, slots=True)
class SnapEntry:
    """A service snap: its variants by name (``default`` always exists), each with its recipe's path.

    `services` are the apps that are daemons; `connect` are the plugs that are connected after
    installing it, each ``plug`` or ``plug slot-snap:slot``.
    """

    name: str
    span: Span
    variants: Mapping[str, str]
    services: tuple[str, ...] = ()
    connect: tuple[str, ...] = ()
    replica: bool = False


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """A guest image under the name that scenarios use, made from the recipe at `recipe`.

    `deb` is the snapd version that the image itself carries.
    """

    name: str
    recipe: str
    span: Span
    deb: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The table that maps the names in scenarios to what they are made from."""

    path: str
    images: Mapping[str, ImageEntry] = field(default_factory=dict)
    cores: Mapping[str, CoreEntry] = field(default_factory=dict)
    snaps: Mapping[str, SnapEntry] = field(default_factory=dict)
