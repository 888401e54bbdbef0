# SPDX-License-Identifier: GPL-3.0-only
"""A snap file that was built or given, and how a tree becomes one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from harness.errors import BuildFailed, Mistake
from harness.host import process
from harness.host.programs import found
from harness.image.tree import SOURCE_DATE_EPOCH, Tree

# One note: the owner's length, the content's length, the kind, the owner (elf(5)). GNU's content
# is the build id; Go's own note is a text, whose hex snapd's system-key holds (osutil/buildid.go).
_GNU_NOTE = re.compile(rb"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0(.{20})", re.DOTALL)
_GO_NOTE = re.compile(rb"\x04\0\0\0(.)\0\0\0\x04\0\0\0Go\0\0([\x21-\x7e]+)", re.DOTALL)
_ELF = b"\x7fELF"
# sqfstar takes no entry of a tar for the root directory: it makes one that everybody may write to and that
# belongs to whoever runs it, in spite of -root-uid (4.5.1). snap-confine refuses both. -all-root also takes
# shadow's and mail's few files of a core from their groups, which no service is in.
_SQUASH = """\
exec "$0" -quiet -no-progress -comp zstd -root-mode 0755 -all-root \\
    -mkfs-time "$3" -all-time "$3" "$2" <"$1"
"""


@dataclass(frozen=True, slots=True)
class SnapFile:
    """A snap at `path`; `build_ids` are its executables' by file name, as snapd computes them."""

    name: str
    file_name: str
    snap_type: str
    version: str
    path: Path
    sha256: str
    build_ids: Mapping[str, str]
    manifest: Path


def build_id(data: bytes) -> str:
    """The build id in hex of an ELF file's content; empty when it has none."""
    if not data.startswith(_ELF):
        return ""
    if gnu := _GNU_NOTE.search(data):
        return gnu[1].hex()
    go = _GO_NOTE.search(data)
    return go[2][: go[1][0]].hex() if go else ""


def build_ids(tree: Tree, directory: str) -> dict[str, str]:
    """The build ids of the ELF files directly in `directory` of the tree, by file name."""
    names = [name for name in tree.entries if name.rpartition("/")[0] == directory]
    found = {name.rpartition("/")[2]: build_id(tree.entries[name][1]) for name in names}
    return {name: value for name, value in sorted(found.items()) if value}


def squash(tree: Tree, target: Path, built: int = SOURCE_DATE_EPOCH) -> None:
    """Write the tree as a snap; the same tree and tool give the same bytes.

    `built` is the time that every file in it has (Unix time).
    """
    packed = target.with_suffix(".tar")
    with packed.open("wb") as stream:
        tree.write(stream)
    try:
        process.run(["sh", "-c", _SQUASH, found("sqfstar"), packed, target, str(built)])
    except process.CommandFailed as error:
        raise BuildFailed(f"cannot make {target.name}: {error.stderr_tail}") from error
    finally:
        packed.unlink()


def snap_yaml(text: bytes, origin: str) -> Mapping[str, object]:
    """What a meta/snap.yaml says.

    :raise Mistake: it is no mapping with a name and a version.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Mistake(f"cannot use {origin}: its meta/snap.yaml is not YAML: {error}") from error
    if not isinstance(data, dict) or not data.get("name") or "version" not in data:
        raise Mistake(f"cannot use {origin}: its meta/snap.yaml lacks a name or a version")
    return data


def one_file(snap: Path, path: str) -> bytes:
    """One file out of a snap.

    :raise Mistake: the snap is not readable, or has no such file.
    """
    try:
        return process.run(["unsquashfs", "-cat", snap, path]).stdout
    except process.CommandFailed as error:
        raise Mistake(f"cannot read {path} in {snap}: {error.stderr_tail}") from error
