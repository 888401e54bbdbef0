# SPDX-License-Identifier: GPL-3.0-only
"""snapd late: it sleeps between its start and its going over the policy, because of a variable (2.42)."""

from __future__ import annotations

from harness.fault.target import Target, Undo
from harness.host.deadline import Deadline
from harness.model.fault import Slow

_DROP_IN = "run/systemd/system/snapd.service.d/revert-safety-slow.conf"
_TEXT = "[Service]\nEnvironment=SNAPD_SLOW_STARTUP={seconds:.0f}s\n"
_RELOAD = "systemctl daemon-reload"


def apply(fault: Slow, target: Target, deadline: Deadline) -> Undo:
    """Make each later start of snapd late, in later boots too.

    Raises Mistake where there is no disk for orders.
    """
    text = _TEXT.format(seconds=target.patience.seconds(fault.seconds)).encode()
    end = target.order({_DROP_IN: text})
    target.shell.run(f"mkdir -p $(dirname /{_DROP_IN})", deadline)
    target.shell.put(text, f"/{_DROP_IN}", deadline)
    target.shell.run(_RELOAD, deadline)

    def undo(until: Deadline) -> None:
        end()
        target.shell.run(f"rm -f /{_DROP_IN} && {_RELOAD}", until)

    return undo
