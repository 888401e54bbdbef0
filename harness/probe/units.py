# SPDX-License-Identifier: GPL-3.0-only
"""Reads units, jobs and snap services from systemd (org.freedesktop.systemd1(5))."""

from __future__ import annotations

import os

from . import processes
from .bus import MANAGER_PATH, Bus, object_path
from .clock import guest_time
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

MANAGER = "org.freedesktop.systemd1.Manager"
UNIT = "org.freedesktop.systemd1.Unit"
SERVICE = "org.freedesktop.systemd1.Service"
UNITS = "/etc/systemd/system"

# systemd's own step (since systemd 255), the client (in snapd 2.77 a link to snapd), the launcher and its
# last step: a main process that is one of them is not the service yet.
LAUNCHERS = ("systemd-executor", "snap", "snapd", "snap-confine", "snap-exec")

# A launcher that waits longer than this after another has given up in this boot waits for what does not come:
# snap-confine waits 120 s for a filter (snapd 2.26.5 and later) and dies, and the next one waits anew.
WAITS_AGAIN_AFTER = 30_000_000_000


def _on_disk(directory: str = UNITS) -> list[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [name for name in names if name.startswith("snap.") and name.endswith(".service")]


def is_launcher(exe: str) -> bool:
    """Whether a main process with this executable is still on its way to the snap's own program."""
    return os.path.basename(exe.removesuffix(" (deleted)")) in LAUNCHERS


def waits_in(unit: str, exe: str) -> str:
    """How `unsettled` tells of such a service."""
    return f"{unit} waits in {os.path.basename(exe)}"


def waits_again(restarts: int, waited: int) -> bool:
    """Whether a launcher that has been waiting for `waited` ns is one more in a row that comes to nothing."""
    return restarts > 0 and waited >= WAITS_AGAIN_AFTER


def has_failed(unit: JSON) -> bool:
    """Whether a unit, as a `unit-seen`, failed in this boot, if only once."""
    return bool(unit.get("restarts")) or unit["result"] not in ("", "success")


class Units:
    """What systemd says. Every method raises bus.BusError when it does not answer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def jobs(self) -> list[str]:
        """The jobs that wait or run, as `UNIT/VERB`."""
        (jobs,) = self._bus.call(MANAGER_PATH, MANAGER, "ListJobs")
        return sorted(f"{job[1]}/{job[2]}" for job in jobs)

    def job_count(self) -> int:
        """How many jobs wait or run."""
        return int(self._bus.property(MANAGER_PATH, MANAGER, "NJobs"))

    def snap_services(self) -> list[str]:
        """The service units of snaps, loaded or only on disk, by name."""
        (loaded,) = self._bus.call(
            MANAGER_PATH, MANAGER, "ListUnitsByPatterns", "asas", [], ["snap.*.service"]
        )
        return sorted({row[0] for row in loaded} | {*_on_disk()})

    def failed(self) -> list[str]:
        """The units that have failed, by name."""
        (rows,) = self._bus.call(MANAGER_PATH, MANAGER, "ListUnitsByPatterns", "asas", ["failed"], [])
        return sorted(row[0] for row in rows)

    def state(self, unit: str) -> tuple[str, str]:
        """ActiveState and SubState."""
        path = object_path(unit)
        return (
            str(self._bus.property(path, UNIT, "ActiveState")),
            str(self._bus.property(path, UNIT, "SubState")),
        )

    def main_pid(self, unit: str) -> int:
        """The main process of a service, 0 when it has none."""
        return int(self._bus.property(object_path(unit), SERVICE, "MainPID"))

    def read(self, unit: str) -> JSON:
        """The unit as a `unit-seen` (WIRE.md)."""
        seen: JSON = {
            "name": unit,
            "load_state": str(self._bus.property(object_path(unit), UNIT, "LoadState")),
            "result": "",
        }
        seen["active_state"], seen["sub_state"] = self.state(unit)
        if unit.endswith(".service"):
            seen |= {key: self._of_service(unit, name) for key, name in OF_SERVICE.items()}
        return seen

    def read_service(self, unit: str) -> JSON:
        """A snap service with the processes in its control group, as a `service-seen` (WIRE.md)."""
        seen = self.read(unit)
        cgroup = str(self._of_service(unit, "ControlGroup"))
        found = (processes.read_process(pid, seen["main_pid"]) for pid in processes.pids_of(cgroup))
        return {
            "tag": unit.removesuffix(".service"),
            "unit": seen,
            "processes": [process for process in found if process],
        }

    def still_launching(self) -> list[str]:
        """The snap services that are on their way to the snap's own program, each with what it is."""
        found = []
        for unit in self.snap_services():
            active, sub = self.state(unit)
            if active == "activating":
                found.append(f"{unit} is {active} ({sub})")
                continue
            pid = self.main_pid(unit)
            exe = processes.exe_of(pid)
            if is_launcher(exe) and not self._waits_again(unit, pid):
                found.append(waits_in(unit, exe))
        return found

    def _waits_again(self, unit: str, pid: int) -> bool:
        try:
            waited = guest_time() - processes.started(pid)
        except OSError:
            return False
        return waits_again(int(self._of_service(unit, "NRestarts")), waited)

    def _of_service(self, unit: str, name: str) -> Any:
        return self._bus.property(object_path(unit), SERVICE, name)


OF_SERVICE = {
    "result": "Result",
    "restarts": "NRestarts",
    "main_pid": "MainPID",
    "exit_code": "ExecMainCode",
    "exit_status": "ExecMainStatus",
}
