# SPDX-License-Identifier: GPL-3.0-only
"""What a deliberate fault is: a small replacement in one file, and the tests that must notice it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STARTS = (
    "tests/unit/invariant/test_every_start.py",
    "tests/unit/invariant/test_launchers.py",
    "tests/unit/invariant/test_launcher_profiles.py",
    "tests/unit/invariant/test_policy_kept.py",
)
MOUNTS = ("tests/unit/invariant/test_mounts_match_profile.py", "tests/unit/probe/test_mountns.py")
POLICY = ("tests/unit/policy",)
ENDS = ("tests/unit/invariant/test_policy_from_running_snapd.py", "tests/unit/invariant/test_end_states.py")
RECORD = ("tests/unit/record/test_record.py", "tests/unit/model")
VERDICT = ("tests/unit/judge/test_judge.py",)
HOLDS = ("tests/unit/policy/test_holds.py",)
LESS = ("tests/unit/judge/test_streams.py",)
TAKEN = ("tests/unit/test_running_fingerprints.py",)


@dataclass(frozen=True, slots=True)
class Fault:
    """In `file` of harness/, `old` (which is there once) becomes `new`; `breaks` says what is wrong then."""

    file: str
    breaks: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """The file's text with the fault in it. Raises ValueError when the fault does not apply."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {text.count(self.old)} times: {self.old}")
        return text.replace(self.old, self.new)

    def source(self, root: Path) -> Path:
        """The file in a tree of sources."""
        return root / "harness" / self.file
