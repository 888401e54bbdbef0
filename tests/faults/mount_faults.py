# SPDX-License-Identifier: GPL-3.0-only
"""Faults in what is read and made of a start's mounts."""

from __future__ import annotations

from tests.faults.fault import MOUNTS, Fault

MOUNT_FAULTS = (
    Fault(
        "policy/mounts.py",
        "under the running build's profile mounts may be absent",
        "return mine_read if lacks else _complete(mine_read, profile, what)",
        "return _complete(mine_read, profile, what)",
        MOUNTS,
    ),
    Fault(
        "policy/mounts.py",
        "what was read after the profile had changed counts",
        "    if profile.problem:\n        return _unseen(profile.problem)\n",
        "",
        MOUNTS,
    ),
    Fault(
        "policy/mounts.py",
        "another build's mount profile is of no known author",
        "        if authors:\n            names",
        "        if not authors:\n            names",
        MOUNTS,
    ),
    Fault(
        "policy/mounts.py",
        "whoever wrote a profile before counts as its writer",
        "if last is None or last.change.sha256 != content or last.daemon:",
        "if last is None or last.daemon:",
        MOUNTS,
    ),
    Fault(
        "probe/mountns.py",
        "a mount from another source is the one asked for",
        "if (entry.source, entry.point) not in made]",
        "if entry.point not in {point for _, point in made}]",
        MOUNTS,
    ),
    Fault(
        "policy/authorship.py",
        "a build that makes a mount profile also makes none",
        "if look.problems or (life.build, name) in made:",
        "if look.problems:",
        MOUNTS,
    ),
)
