# SPDX-License-Identifier: GPL-3.0-only
"""Changes of snaps in a plan, whether a step waits for them or not."""

from __future__ import annotations

from harness.model.plan import Action, StartChange


def change_of(action: Action) -> Action:
    """What is done where a step only begins it: the change that is started, else the action itself."""
    return action.change if isinstance(action, StartChange) else action
