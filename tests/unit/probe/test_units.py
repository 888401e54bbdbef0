# SPDX-License-Identifier: GPL-3.0-only
"""Which services are on their way, by real processes under a systemd on paper."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.probe import units
from harness.probe.bus import Bus

SERVICE = "snap.bluez.bluez.service"


class OneService(units.Units):
    """A systemd with one snap service."""

    def __init__(self, pid: int, restarts: int) -> None:
        super().__init__(Bus("/nonexistent"))
        self._pid = pid
        self._restarts = restarts

    def snap_services(self) -> list[str]:
        return [SERVICE]

    def state(self, unit: str) -> tuple[str, str]:
        return ("active", "running") if unit == SERVICE else ("", "")

    def main_pid(self, unit: str) -> int:
        return self._pid if unit == SERVICE else 0

    def _of_service(self, unit: str, name: str) -> int:
        return self._restarts if (unit, name) == (SERVICE, "NRestarts") else 0


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[int]:
    """A process that waits, whose program has the launcher's name."""
    program = tmp_path / "snap-confine"
    shutil.copy("/usr/bin/sleep", program)
    pid = os.posix_spawn(program, [program, "600"], {})
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("restarts", "after", "is_on_its_way"),
    [(0, 0, True), (1, 0, False), (1, units.WAITS_AGAIN_AFTER, True)],
    ids=["first", "again and long", "again and not long"],
)
def test_a_launcher_is_on_its_way_until_it_waits_again_for_long(
    restarts: int, after: int, is_on_its_way: bool, launcher: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "WAITS_AGAIN_AFTER", after)
    found = OneService(launcher, restarts).still_launching()
    assert found == ([f"{SERVICE} waits in snap-confine"] if is_on_its_way else [])


def test_a_launcher_that_goes_meanwhile_is_still_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units.processes, "exe_of", lambda _: "/usr/bin/snap")
    assert OneService(os.getpid() + (1 << 30), 3).still_launching() == [f"{SERVICE} waits in snap"]
