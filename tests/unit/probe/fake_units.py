# SPDX-License-Identifier: GPL-3.0-only
"""What stands for systemd where a look is taken."""

from __future__ import annotations

import os
from typing import Any

from harness.probe import processes
from harness.probe.bus import BusError
from harness.probe.units import OF_SERVICE

SERVICE = "snap.bluez.bluez.service"


class FakeUnits:
    """systemd with one snap service whose only process is this one; `broken` does not answer."""

    def __init__(self, *, broken: bool = False) -> None:
        self._broken = broken

    def jobs(self) -> list[str]:
        self._answer()
        return []

    def job_count(self) -> int:
        self._answer()
        return 0

    def state(self, _unit: str) -> tuple[str, str]:
        self._answer()
        return "inactive", "dead"

    def still_launching(self) -> list[str]:
        return []

    def snap_services(self) -> list[str]:
        self._answer()
        return [SERVICE]

    def failed(self) -> list[str]:
        self._answer()
        return ["broken.mount"]

    def read(self, unit: str) -> dict[str, Any]:
        self._answer()
        state = {
            "load_state": "loaded",
            "active_state": "active",
            "sub_state": "running",
            "result": "success",
        }
        return {"name": unit, **state, **dict.fromkeys(set(OF_SERVICE) - {"result"}, 0)}

    def read_service(self, unit: str) -> dict[str, Any]:
        seen = processes.read_process(os.getpid(), os.getpid())
        return {"tag": unit.removesuffix(".service"), "unit": self.read(unit), "processes": [seen]}

    def _answer(self) -> None:
        if self._broken:
            raise BusError(0, "systemd does not answer")
