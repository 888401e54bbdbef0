# SPDX-License-Identifier: GPL-3.0-only
"""Deb files: what one is, and its content as a tar stream."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Mistake
from harness.host import process
from harness.image.digest import sha256_of


@dataclass(frozen=True, slots=True)
class Deb:
    """A deb file with the package and exact version in it; `source` says where it came from."""

    package: str
    version: str
    sha256: str
    path: Path
    source: str

    def row(self) -> dict[str, str]:
        """The deb as a manifest lists it."""
        return {
            "package": self.package,
            "version": self.version,
            "sha256": self.sha256,
            "source": self.source,
        }


def open_deb(path: Path) -> Deb:
    """The deb in a file of the user's.

    :raise Mistake: there is no such file, or it is not a deb.
    """
    if not path.is_file():
        raise Mistake(f"cannot use the deb {path}: no such file")
    try:
        shown = process.run(["dpkg-deb", "--show", "--showformat=${Package} ${Version}", path])
    except process.CommandFailed as error:
        raise Mistake(f"cannot use the deb {path}: {error.stderr_tail or 'not a deb'}") from error
    package, _, version = shown.stdout.decode().partition(" ")
    return Deb(package, version, sha256_of(path), path, path.name)


def field(deb: Deb, name: str) -> str:
    """A control field of the deb, empty when it has none."""
    return process.run(["dpkg-deb", "--field", deb.path, name]).stdout.decode().strip()


@contextmanager
def content(deb: Deb) -> Iterator[tarfile.TarFile]:
    """The files of the deb as an open tar archive."""
    data = process.run(["dpkg-deb", "--fsys-tarfile", deb.path]).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        yield archive
