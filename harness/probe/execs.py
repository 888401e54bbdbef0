# SPDX-License-Identifier: GPL-3.0-only
"""Picks what matters out of all programs executed: snapd's, the snaps', and each start of a service.

A service is one process from beginning to end: systemd's child executes `snap`, that snap-confine, that
snap-exec, and that the snap's own program.
"""

from __future__ import annotations

import os

from . import elf, processes, starts
from .trace import Executed, FilterInstalled, Forked
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .trace import Event

CONFINE, EXEC = "snap-confine", "snap-exec"
TOOLS = ("snap-update-ns", "snap-discard-ns", "snap-seccomp", "snap-failure", "snapd-apparmor")
SNAPD_PROGRAMS = frozenset(("snapd", "snap", CONFINE, EXEC, *TOOLS, "apparmor_parser"))
SNAPS = "/snap/"
# `snap run --command=stop NAME.APP` and the like run in the service's unit too (wrappers/services.go).
OTHER_COMMAND = "--command="
# What fexecve(3) gives to the kernel: snap-confine executes snap-update-ns so.
BY_DESCRIPTOR = "/dev/fd/"


class Launch:
    """What is known of a process on its way to a snap's program."""

    def __init__(self) -> None:
        self.tag = ""
        self.unit = ""
        self.program = ""
        self.is_other_command = False

    @property
    def is_last_step(self) -> bool:
        """Whether what it executes next is the snap's program."""
        return self.program == EXEC

    def service(self) -> str | None:
        """The tag of the service that it becomes (empty: not known), or None when it becomes none."""
        if self.is_other_command:
            return None
        if self.unit:
            is_service = self.unit.startswith("snap.") and self.unit.endswith(".service")
            return self.unit.removesuffix(".service") if is_service else None
        return None if ".hook." in self.tag else self.tag


class Picked:
    """An event that matters; `launch` when it is the start of a snap's program."""

    def __init__(self, event: Executed | FilterInstalled, launch: Launch | None = None) -> None:
        self.event = event
        self.launch = launch


class Execs:
    """Turns the kernel's events into `executed`, `filter-installed` and `started`."""

    def __init__(self, now: Callable[[], int], proc: str = "/proc") -> None:
        self._now = now
        self._proc = proc
        self._launches: dict[int, Launch] = {}
        # The threads of snaps: what was in snap-confine, and all that came of it.
        self._confined: set[int] = set()
        self._build_ids: dict[tuple[int, int, int], str] = {}

    @property
    def is_launching(self) -> bool:
        """Whether a living process is beyond `snap`, which waits for snapd, but not a snap's program yet."""
        beyond = [pid for pid, launch in self._launches.items() if launch.program in (CONFINE, EXEC)]
        return any(os.path.exists(f"{self._proc}/{pid}") for pid in beyond)

    def understand(self, events: Iterable[Event]) -> list[JSON]:
        """What is worth telling; starts are read before anything else, because processes end."""
        picked = [found for event in events if (found := self._pick(event))]
        started = {place: self._start(one) for place, one in enumerate(picked) if one.launch}
        said: list[JSON] = []
        for place, one in enumerate(picked):
            said.append(self._tell(one.event))
            said += (start for start in [started.get(place)] if start)
        return said

    def _pick(self, event: Event) -> Picked | None:
        match event:
            case Forked():
                self._follow(event)
                return None
            case FilterInstalled():
                return Picked(event) if event.pid in self._confined else None
            case Executed():
                return self._pick_executed(event)

    def _follow(self, forked: Forked) -> None:
        self._launches.pop(forked.child, None)
        if forked.pid in self._confined:
            self._confined.add(forked.child)
        else:
            self._confined.discard(forked.child)

    def _pick_executed(self, event: Executed) -> Picked | None:
        pid, program = event.pid, self._program(event)
        if program in ("snap", CONFINE, EXEC):
            launch = self._launches.setdefault(pid, Launch())
            launch.program = program
            if program != "snap":
                self._confined.add(pid)
        else:
            found = self._launches.pop(pid, None)
            if found and found.is_last_step:
                return Picked(event, found)
        matters = program in SNAPD_PROGRAMS or pid in self._confined or event.path.startswith(SNAPS)
        return Picked(event) if matters else None

    def _program(self, event: Executed) -> str:
        path = event.path
        if path.startswith(BY_DESCRIPTOR):
            path = processes.exe_of(event.pid, self._proc) or path
        return os.path.basename(path)

    def _start(self, picked: Picked) -> JSON | None:
        event, launch = picked.event, picked.launch
        if not isinstance(event, Executed) or not launch:
            return None
        launch.unit = launch.unit or starts.unit_of(event.pid, self._proc)
        tag = launch.service()
        return None if tag is None else starts.read_start(event.at, tag, event.pid, event.path, self._now)

    def _tell(self, event: Executed | FilterInstalled) -> JSON:
        if isinstance(event, FilterInstalled):
            return {"type": "filter-installed", "at": event.at, "pid": event.pid}
        # The process may have gone on to its next program: the command line is the event's if the
        # executable, read after it, is.
        argv = processes.argv_of(event.pid, self._proc)
        real = processes.exe_of(event.pid, self._proc).removesuffix(" (deleted)")
        is_same = os.path.basename(real) == self._program(event)
        is_there = bool(real) and (is_same or event.path in argv)
        unit = starts.unit_of(event.pid, self._proc)
        self._note_launch(event.pid, unit, argv if is_there else [])
        return {
            "type": "executed",
            "at": event.at,
            "pid": event.pid,
            "exe": real if is_same else event.path,
            "ppid": processes.parent_of(event.pid, self._proc),
            "build_id": self._build_id(event, is_there),
            "argv": argv if is_there else [],
            "unit": unit,
        }

    def _note_launch(self, pid: int, unit: str, argv: list[str]) -> None:
        launch = self._launches.get(pid)
        if launch:
            launch.unit = unit or launch.unit
            launch.tag = next((word for word in argv[1:] if word.startswith("snap.")), launch.tag)
            launch.is_other_command |= any(word.startswith(OTHER_COMMAND) for word in argv[1:])

    def _build_id(self, event: Executed, is_there: bool) -> str:
        """Of the running program, else of the file, where its path means the same here as for the process."""
        means_the_same = event.path.startswith(SNAPS) or event.pid not in self._confined
        path = f"{self._proc}/{event.pid}/exe" if is_there else event.path if means_the_same else ""
        try:
            status = os.stat(path)
            key = (status.st_dev, status.st_ino, status.st_mtime_ns)
            if key not in self._build_ids:
                self._build_ids[key] = elf.build_id(path)
            return self._build_ids[key]
        except OSError:
            return ""
