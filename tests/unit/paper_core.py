# SPDX-License-Identifier: GPL-3.0-only
"""The snapd releases of paper guests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from harness.model.event import ArtifactUsed
from harness.model.observation import PolicyKind


def digest(*words: object) -> str:
    """A digest that differs when any word does."""
    return hashlib.sha256("\0".join(map(str, words)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Core:
    """A snapd release: its build, and whether seccomp is text, `.bin` or `.bin2`.

    `mounts` is what its mount profiles list, one mount; without it, it writes none. `place` is the directory
    of its texts, below the one for all and with a slash after it.
    """

    name: str
    compiled: PolicyKind
    mounts: str = ""
    place: str = ""

    @property
    def build(self) -> str:
        return digest("snapd", self.name)[:40]

    @property
    def compiler(self) -> str:
        return digest("snap-seccomp", self.name)[:40]

    @property
    def artifact(self) -> ArtifactUsed:
        builds = {"snapd": self.build, "snap-seccomp": self.compiler}
        return ArtifactUsed("snap", self.name, digest("snap", self.name), builds)

    def programs(self, tag: str) -> dict[str, str]:
        parts = ("whole",) if self.compiled == PolicyKind.SECCOMP_BIN else ("allow", "deny")
        return {part: digest("seccomp", tag, self.name, part) for part in parts}


OLD = Core("2.57.6", PolicyKind.SECCOMP_BIN)
NEW = Core("2.68.3", PolicyKind.SECCOMP_BIN2)
TEXT = Core("2.24", PolicyKind.SECCOMP_TEXT)
NEW_TEXT = Core("2.25", PolicyKind.SECCOMP_TEXT)
NEWER = Core("2.77.1", PolicyKind.SECCOMP_BIN2)
