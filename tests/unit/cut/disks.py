# SPDX-License-Identifier: GPL-3.0-only
"""Small ext4 file systems, made and changed by e2fsprogs without mounting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.cut.blocks import Contents, View, in_base
from harness.cut.ext4 import Ext4, superblock
from harness.cut.partitions import file_system
from harness.cut.policy_files import Policy, PolicyReader
from harness.host.process import run
from tests.unit.cut.write_logs import reader

MIB = 1 << 20


def make_disk(path: Path, files: Mapping[str, bytes], *options: str, size: str = "8M") -> Path:
    """A file system with these files below /policy, and a link and an empty directory."""
    root = path.with_suffix(".root")
    for name, content in files.items():
        (root / "policy" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "policy" / name).write_bytes(content)
    (root / "policy/empty").mkdir(parents=True)
    (root / "policy/link").symlink_to("a/target")
    (root / "policy/long").symlink_to("x" * 200)
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", root, *options, path, size])
    return path


def debugfs(disk: Path, *commands: str) -> str:
    """Change the file system; returns what debugfs says of it."""
    script = disk.with_suffix(".commands")
    script.write_text("".join(f"{command}\n" for command in commands))
    done = run(["debugfs", "-w", "-f", script, disk])
    return (done.stdout + done.stderr).decode()


def contents_of(disk: bytes) -> Contents:
    """The disk without any log."""
    return Contents(reader(disk), reader(b""), file_system(reader(disk), len(disk)))


def policy_of(disk: bytes, paths: Sequence[str] = ("/policy",), view: View = in_base) -> Policy:
    """What our reader finds on a whole disk."""
    return PolicyReader(Ext4(contents_of(disk)), paths).read(view)


def block_size(disk: bytes) -> int:
    return superblock(disk[1024:2048]).block
