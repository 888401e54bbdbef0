# SPDX-License-Identifier: GPL-3.0-only
"""The kinds of policy file, and what in them the kernel is given."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from harness.model.clock import WallTime
from harness.model.observation import PolicyFile, PolicyKind
from harness.model.occurrence import FileChanged

COMPILED_SECCOMP = (PolicyKind.SECCOMP_BIN, PolicyKind.SECCOMP_BIN2, PolicyKind.SECCOMP_TEXT)
"""What a launcher takes its filters from: programs, or a text that it makes one of (text_profiles.py)."""

GLOBAL = "global"
"""seccomp/bpf/global.bin: the filter that snap-confine of 2.37.3 to 2.63 adds for every snap."""

GLOBAL_PROGRAM = "e4e7a5a5c31844ec32b46d2a99d43c5ab7d5457fbd8555a3c81ee8453af83cd4"
"""The 19 instructions of global.bin, a constant of snapd (interfaces/seccomp: globalProfileLE).

The same bytes are in the executables of Debian's 2.49 and 2.57.6, and not in those of 2.68.3 and 2.77.1.
"""

NO_MOUNTS = hashlib.sha256(b"").hexdigest()
"""What stands for the mount profile of a snap for which there is no file: one that lists nothing."""

_NO_PROGRAM = frozenset(hashlib.sha256(text).hexdigest() for text in (b"", b"@unrestricted\n"))
_INSTRUCTION = 8  # bytes of a `struct sock_filter`


def snap_of(tag: str) -> str:
    """The name of a snap's mount profile, `snap.NAME`, by the security tag of one of its services."""
    return ".".join(tag.split(".")[:2])


def programs(file: PolicyFile) -> Mapping[str, str]:
    """The programs in a compiled seccomp file, part to digest; none when it is unrestricted or damaged.

    snap-seccomp before 2.63 writes the text ``@unrestricted`` in place of a program, which is not a whole
    number of instructions. A text of which no launcher was seen to make a program stands for itself.
    """
    if file.kind == PolicyKind.SECCOMP_TEXT and not file.parts and file.sha256:
        return {"text": file.sha256}
    if file.kind == PolicyKind.SECCOMP_BIN and file.size % _INSTRUCTION:
        return {}
    return {part: digest for part, digest in file.parts.items() if digest and digest not in _NO_PROGRAM}


def digests(file: PolicyFile) -> frozenset[str]:
    """What identifies the file's policy: its programs when it is compiled seccomp, else its content."""
    if file.kind in COMPILED_SECCOMP:
        return frozenset(programs(file).values())
    return frozenset({file.sha256, *file.parts.values()})


def whole_sets(file: PolicyFile) -> frozenset[frozenset[str]]:
    """The sets of programs that a process has which took all of a compiled seccomp file.

    That is everything in it; of a text, the one program that its launcher made, and launchers may differ.
    """
    if file.kind == PolicyKind.SECCOMP_TEXT:
        return frozenset(frozenset({digest}) for digest in digests(file))
    return frozenset({digests(file)})


def base_name(file: PolicyFile) -> str:
    """The file's own name, as evidence shows it."""
    return file.path.rpartition("/")[2]


def file_of(change: FileChanged) -> PolicyFile | None:
    """The policy file that a change left, without what a change does not tell: its size and its times."""
    if change.kind is None:
        return None
    return PolicyFile(
        path=change.path,
        kind=change.kind,
        name=change.name,
        sha256=change.sha256,
        size=0,
        changed=WallTime(0),
        modified=WallTime(0),
        parts=change.parts,
        made_by=change.made_by,
    )
