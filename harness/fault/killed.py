# SPDX-License-Identifier: GPL-3.0-only
"""snapd killed: its processes get SIGKILL, and systemd restarts it as its unit says."""

from __future__ import annotations

from harness.fault.target import Target, Undo
from harness.host.deadline import Deadline

_KILL = "systemctl kill --signal=KILL snapd.service"


def apply(target: Target, deadline: Deadline) -> Undo:
    """Kill it; there is nothing to put right. Raises CommandFailed when it does not run."""
    target.shell.run(_KILL, deadline)
    return lambda _: None
