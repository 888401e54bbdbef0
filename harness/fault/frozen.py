# SPDX-License-Identifier: GPL-3.0-only
"""snapd frozen: its processes stop, all at once where the kernel's control groups are of version 2."""

from __future__ import annotations

from harness.fault.target import Target, Undo, in_this_boot
from harness.host.deadline import Deadline

_GROUP = "/sys/fs/cgroup/system.slice/snapd.service"
_FREEZE = f"""\
set -e
if [ -e {_GROUP}/cgroup.freeze ]; then
	echo 1 >{_GROUP}/cgroup.freeze
	until grep -q '^frozen 1' {_GROUP}/cgroup.events; do sleep 0.05; done
else
	systemctl kill --signal=STOP snapd.service
fi
"""
_THAW = f"""\
if [ -e {_GROUP}/cgroup.freeze ]; then
	echo 0 >{_GROUP}/cgroup.freeze
else
	systemctl kill --signal=CONT snapd.service 2>/dev/null || :
fi
"""


def apply(target: Target, deadline: Deadline) -> Undo:
    """Freeze it. Raises CommandFailed when snapd does not run."""
    target.shell.run(_FREEZE, deadline)
    return in_this_boot(target, _THAW)
