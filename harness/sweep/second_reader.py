# SPDX-License-Identifier: GPL-3.0-only
"""Reads one state with e2fsprogs, which are slower and are not ours: both must see the same files.

For a state they take 100 ms of CPU and wait for the disk, and our reader takes 3 (benchmarks/sweep.py); so
they read one state of a sweep only.

debugfs can replay a journal too, but reads the bitmaps first and gives up where they wait for their replay.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.cut.policy_files import Found, Policy
from harness.errors import CannotMeasure
from harness.host.process import run, tail

_REPLAYED = (0, 1)  # e2fsck(8): no errors, or errors that were corrected


def confirm(policy: Policy, disk: Path, start: int, paths: Sequence[str]) -> None:
    """Check that e2fsprogs find the same in the plain `disk`, whose file system is at byte `start`.

    The disk's journal is replayed by it.

    :raise CannotMeasure: they find something else; names the first difference.
    :raise HostLacks: there are no e2fsprogs.
    """
    theirs = read_with_tools(disk, start, paths)
    for path in sorted(theirs.keys() | policy.files.keys()):
        if theirs.get(path) != policy.files.get(path):
            raise CannotMeasure(
                f"cannot trust the reading of {path} after a cut: we find {policy.files.get(path)},"
                f" e2fsprogs find {theirs.get(path)}",
                hint="this is a defect of the harness or of e2fsprogs",
            )


def read_with_tools(disk: Path, start: int, paths: Sequence[str]) -> Mapping[str, Found]:
    """What lies at the paths once e2fsck has replayed the disk's journal.

    :raise CannotMeasure: e2fsck cannot do it.
    :raise HostLacks: there are no e2fsprogs.
    """
    place = f"{disk}?offset={start}" if start else str(disk)
    replayed = run(["e2fsck", "-p", "-E", "journal_only", place], check=False)
    if replayed.returncode not in _REPLAYED:
        raise CannotMeasure(f"cannot replay the journal of {disk}: {tail(replayed.stdout)}")
    with tempfile.TemporaryDirectory(prefix="sweep-", dir=disk.parent) as name:
        copies = {path: Path(name, str(number)) for number, path in enumerate(paths)}
        for copy in copies.values():
            copy.mkdir()
        commands = Path(name, "commands")
        commands.write_text("".join(f'rdump "{path}" "{copy}"\n' for path, copy in copies.items()))
        run(["debugfs", "-c", "-f", commands, place])
        return {
            below: found
            for path, copy in copies.items()
            for top in copy.iterdir()
            for below, found in _walk(top, path.rstrip("/"))
        }


def _walk(copy: Path, path: str) -> Iterator[tuple[str, Found]]:
    if copy.is_symlink():
        target = os.fsencode(copy.readlink())
        yield path, Found("link", hashlib.sha256(target).hexdigest(), len(target))
    elif copy.is_dir():
        copy.chmod(0o700)
        yield path, Found("directory")
        for child in copy.iterdir():
            yield from _walk(child, f"{path}/{child.name}")
    else:
        copy.chmod(0o600)
        content = copy.read_bytes()
        yield path, Found("file", hashlib.sha256(content).hexdigest(), len(content))
