# SPDX-License-Identifier: GPL-3.0-only
"""Which of the seccomp policy on disk a launcher looked at, where it lies in more than one directory.

A launcher looks where its own snapd writes. Where there is a pointer beside the directories of profiles, it
looks in the one that this names, whoever set it.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Collection, Sequence

from harness.model.observation import PolicyFile, PolicyKind
from harness.policy.disk import Disk, Moment

_POINTER = "current"


def looked_at(
    kinds: Sequence[PolicyKind], tag: str, at: Moment, places: Collection[str], disk: Disk
) -> tuple[PolicyFile, ...]:
    """The files of a service that a launcher could have read then; its own snapd writes to `places`.

    Where that snapd was never seen to write any, they may be anywhere.
    """
    files = disk.files(kinds, tag, at)
    pointers = {file.sha256 for file in disk.files((PolicyKind.SECCOMP_POINTER,), _POINTER, at)}
    if pointers:
        return tuple(file for file in files if _name_of_directory(file) in pointers)
    return tuple(file for file in files if not places or posixpath.dirname(file.path) in places)


def _name_of_directory(file: PolicyFile) -> str:
    """As the digest of a pointer's content."""
    name = posixpath.basename(posixpath.dirname(file.path))
    return hashlib.sha256(name.encode()).hexdigest()
