# SPDX-License-Identifier: GPL-3.0-only
"""Which of the seccomp policy on disk a launcher looked at, where it lies in more than one directory.

A launcher looks where its own snapd writes. Where there is a pointer beside the directories of profiles, it
looks in the one that this names, whoever set it.
"""

from __future__ import annotations

import hashlib
import posixpath

from harness.model.observation import PolicyFile, PolicyKind
from harness.policy.kind import COMPILED_SECCOMP
from harness.policy.knowledge import Knowledge

_POINTER = "current"

Moment = tuple[int, int]


def looked_at(tag: str, at: Moment, build: str, known: Knowledge) -> tuple[PolicyFile, ...]:
    """The compiled files and texts of a service that the launcher of that build could have read then."""
    files = known.disk.files(COMPILED_SECCOMP, tag, at)
    pointers = {file.sha256 for file in known.disk.files((PolicyKind.SECCOMP_POINTER,), _POINTER, at)}
    if pointers:
        return tuple(file for file in files if _name_of_directory(file) in pointers)
    places = _written_by(build, known)
    return tuple(file for file in files if not places or posixpath.dirname(file.path) in places)


def _name_of_directory(file: PolicyFile) -> str:
    """As the digest of a pointer's content."""
    name = posixpath.basename(posixpath.dirname(file.path))
    return hashlib.sha256(name.encode()).hexdigest()


def _written_by(build: str, known: Knowledge) -> frozenset[str]:
    """The directories to which a build was seen to write such policy."""
    return frozenset(
        posixpath.dirname(one.change.path)
        for one in known.writers.all
        if one.daemon and one.daemon.build == build and one.change.kind in COMPILED_SECCOMP
    )
