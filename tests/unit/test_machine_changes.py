# SPDX-License-Identifier: GPL-3.0-only
"""A connection that is made by itself also starts what was given up for want of it."""

from __future__ import annotations

from typing import Any

import pytest

from harness import machine_changes
from harness.host.deadline import Deadline
from harness.model.plan import ConnectPlug


class PaperShell:
    """A shell, and the snapd that is asked through it: what was done, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def run(self, command: str, _: Deadline) -> None:
        self.done.append(command)

    def connect(self, plug: str, slot: str, _: Deadline) -> str:
        self.done.append(f"connect {plug} {slot}".strip())
        return "1"

    def await_change(self, change: str, _: Deadline) -> str:
        self.done.append(f"await {change}")
        return f"change {change}"


@pytest.mark.parametrize(
    ("units", "then"),
    [
        ((), []),
        (("a.service",), ["systemctl reset-failed a.service; systemctl start a.service"]),
        (
            ("a.service", "b.service"),
            ["systemctl reset-failed a.service b.service; systemctl start a.service b.service"],
        ),
    ],
)
def test_services_are_started_after_it(
    units: tuple[str, ...], then: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell: Any = PaperShell()
    monkeypatch.setattr(machine_changes, "Snapd", lambda _: shell)
    action = ConnectPlug("bluez:x", units=units)
    assert machine_changes.carry_out(action, shell, Deadline.after(9)) == "change 1"
    assert shell.done == ["connect bluez:x", "await 1", *then]
