# SPDX-License-Identifier: GPL-3.0-only
"""The programs of snapd that a service's process is before it is the service."""

from __future__ import annotations

# The client (in snapd 2.77 a link to snapd), the launcher and its last step. The guest's witness has a list
# of its own (harness/probe/units.py), as it may import nothing of ours.
LAUNCHERS = ("/usr/bin/snap", *(f"/usr/lib/snapd/{name}" for name in ("snapd", "snap-confine", "snap-exec")))


def is_launcher(exe: str) -> bool:
    """Whether this is one of them, wherever its core is mounted; `exe` is as /proc/PID/exe reads."""
    return exe.removesuffix(" (deleted)").endswith(LAUNCHERS)
