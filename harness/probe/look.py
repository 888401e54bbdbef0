# SPDX-License-Identifier: GPL-3.0-only
"""Puts one complete reading of the guest together: a `look` (WIRE.md)."""

from __future__ import annotations

import time

from . import daemon, profiles
from .bus import BusError
from .calm import SNAPD
from .clock import boot_id, guest_time
from .files import FileReader
from .units import Units, is_launcher, waits_again, waits_in
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

NOTHING: list[str] = []


class Looker:
    """Takes looks, numbered from 1 within this boot; `meanwhile` is called again and again during one."""

    def __init__(self, units: Units, files: FileReader, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._units = units
        self._files = files
        self._meanwhile = meanwhile
        self._number = 0

    def look(self, reason: str, unsettled: list[str]) -> JSON:
        """Read everything. What cannot be read becomes one of `problems`; nothing raises."""
        self._number += 1
        problems: list[str] = []
        at = guest_time()
        unit = self._attempt(problems, lambda: self._units.read(SNAPD), _unknown(SNAPD))
        services = self._services(problems)
        return {
            "boot_id": boot_id(),
            "number": self._number,
            "reason": reason,
            "at": at,
            "boot_wall": time.time_ns() - guest_time(),
            "unsettled": unsettled or launching(services, at),
            "snapd": daemon.read_snapd(unit.get("main_pid", 0), problems),
            "snapd_unit": unit,
            "system_key": daemon.read_system_key(problems),
            "files": self._files.read_all(problems),
            "profiles": profiles.read_profiles(problems),
            "services": services,
            "failed_units": self._failed(problems),
            "problems": problems,
            "twins": [],
            "words": [],
        }

    def _services(self, problems: list[str]) -> list[JSON]:
        names = self._attempt(problems, self._units.snap_services, NOTHING)
        unknown = [{"tag": n.removesuffix(".service"), "unit": _unknown(n), "processes": []} for n in names]
        return [
            self._attempt(problems, lambda name=name: self._units.read_service(name), instead)  # type: ignore[misc]
            for name, instead in zip(names, unknown, strict=True)
        ]

    def _failed(self, problems: list[str]) -> list[JSON]:
        names = self._attempt(problems, self._units.failed, NOTHING)
        return [self._attempt(problems, lambda n=n: self._units.read(n), _unknown(n)) for n in names]  # type: ignore[misc]

    def _attempt(self, problems: list[str], read: Callable[[], T], instead: T) -> T:
        self._meanwhile()
        try:
            return read()
        except (BusError, OSError, ValueError, TypeError) as error:
            problems.append(f"cannot read a unit: {getattr(error, 'strerror', None) or error}")
            return instead


def launching(services: list[JSON], at: int) -> list[str]:
    """The services that were between start and service while they were read, and may get there."""
    mains = [(s["unit"], p) for s in services for p in s["processes"] if p["main"] and is_launcher(p["exe"])]
    return [
        waits_in(unit["name"], main["exe"])
        for unit, main in mains
        if not waits_again(unit.get("restarts", 0), at - main["started"])
    ]


def _unknown(unit: str) -> JSON:
    return {"name": unit, "load_state": "", "active_state": "unknown", "sub_state": "", "result": ""}
