# SPDX-License-Identifier: GPL-3.0-only
"""A small Debian mirror on disk, signed by a key of its own."""

from __future__ import annotations

import hashlib
import lzma
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.host import process


def make_deb(directory: Path, package: str, version: str, *, depends: str = "", **files: str) -> Path:
    """A deb with the files given by name below /usr/share/PACKAGE."""
    tree = directory / f"{package}-{version}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    needs = f"Depends: {depends}\n" if depends else ""
    (tree / "DEBIAN/control").write_text(
        f"Package: {package}\nVersion: {version}\nArchitecture: amd64\nMaintainer: t <t@example.com>\n"
        f"{needs}Description: test\n"
    )
    for name, text in files.items():
        path = tree / "usr/share" / package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    target = directory / f"{package}_{version}_amd64.deb"
    process.run(["dpkg-deb", "--root-owner-group", "--build", tree, target])
    return target


@dataclass(slots=True)
class SmallMirror:
    """`root` is what a mirror's address would point at; `keyring` verifies it."""

    root: Path
    keyring: Path
    home: Path
    debs: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"file:{self.root}"

    def publish(self, suite: str, *debs: Path) -> None:
        """Put exactly these debs into a suite and sign it."""
        stanzas = "".join(self._stanza(deb) for deb in debs)
        index = lzma.compress(stanzas.encode())
        place = self.root / "dists" / suite / "main/binary-amd64"
        place.mkdir(parents=True, exist_ok=True)
        (place / "Packages.xz").write_bytes(index)
        release = place.parent.parent / "Release"
        rows = [
            f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-amd64/{name}\n"
            for name, data in (("Packages", stanzas.encode()), ("Packages.xz", index))
        ]
        release.write_text(
            f"Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: amd64\n"
            f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nValid-Until: Fri, 02 Jan 2026 00:00:00 UTC\n"
            f"SHA256:\n{''.join(rows)}"
        )
        signed = release.with_name("InRelease")
        signed.unlink(missing_ok=True)
        gpg(self.home, "--clearsign", "--output", str(signed), str(release))

    def _stanza(self, deb: Path) -> str:
        pool = self.root / "pool/main" / deb.name
        pool.parent.mkdir(parents=True, exist_ok=True)
        pool.write_bytes(deb.read_bytes())
        control = process.run(["dpkg-deb", "--field", deb]).stdout.decode()
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        where = f"Filename: pool/main/{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n"
        return f"{control}{where}\n"


@contextmanager
def small_mirror(directory: Path) -> Iterator[SmallMirror]:
    """An empty mirror with a new key, whose agent ends with the block."""
    home = directory / "gnupg"
    home.mkdir(mode=0o700)
    gpg(home, "--passphrase", "", "--quick-generate-key", "mirror@example.com", "ed25519", "sign")
    keyring = directory / "mirror.gpg"
    gpg(home, "--output", str(keyring), "--export")
    try:
        yield SmallMirror(directory / "mirror", keyring, home)
    finally:
        process.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)


def gpg(home: Path, *words: str) -> None:
    """Run gpg on a home of our own."""
    env = {**os.environ, "GNUPGHOME": str(home)}
    process.run(["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", *words], env=env)
