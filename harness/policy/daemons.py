# SPDX-License-Identifier: GPL-3.0-only
"""The snapd processes of one boot, one after the other: which build each is, and when it was READY.

One process executes twice when the snapd of the image hands over to that of the core (re-exec); its build
is that of the last program. What one source tells must be borne out by the others: a daemon that a look or
systemd knows, but which nobody saw execute, is a daemon too, and where its build is not known, what runs
is not known until the next one executes.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.model.clock import GuestTime
from harness.model.observation import SnapdSeen
from harness.model.occurrence import Executed, UnitChanged
from harness.model.timeline import SeenLook
from harness.policy.happened import Happened, Placed

UNIT = "snapd.service"

_PROGRAMS = ("/usr/lib/snapd/snapd", "/usr/libexec/snapd/snapd")
_UP = ("activating", "active", "reloading")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A snapd process: `build` is empty when it is not known, `ready` None when READY was not seen.

    `line` is where in witness.jsonl it is told of, `looked` says that a look saw it run.
    """

    pid: int
    build: str
    exe: str
    since: GuestTime
    line: int
    ready: GuestTime | None = None
    looked: bool = False

    @property
    def from_snap(self) -> bool:
        """It is the snapd of a core, into which the image's handed over."""
        return self.exe.startswith("/snap/")


@dataclass(frozen=True, slots=True)
class Daemons:
    """A boot's daemons in the order in which they began."""

    all: tuple[Daemon, ...]

    @classmethod
    def of(cls, happened: Happened, looks: Sequence[SeenLook]) -> Daemons:
        """Learn them from programs executed, from the looks of the boot and from systemd."""
        found = _executed(happened)
        for seen in looks:
            if seen.look.snapd is not None:
                _confirm(found, seen, seen.look.snapd)
        changes = happened.units.get(UNIT, [])
        found += _only_by_unit(changes, {daemon.pid for daemon in found})
        found.sort(key=_began)
        return cls(tuple(_with_ready(_doubted(found), changes)))

    def running(self, at: GuestTime) -> Daemon | None:
        """The last to have begun at that time, else the first of the boot."""
        number = bisect_right(self.all, at, key=_began)
        return self.all[max(0, number - 1)] if self.all else None

    def coming(self, at: GuestTime) -> Daemon | None:
        """The first to begin after that time, else the last of the boot."""
        number = bisect_right(self.all, at, key=_began)
        return self.all[min(number, len(self.all) - 1)] if self.all else None

    def with_pid(self, pid: int, at: GuestTime) -> Daemon | None:
        """The daemon that this process was at that time."""
        return next((d for d in reversed(self.all) if d.pid == pid and d.since <= at), None)


def _began(daemon: Daemon) -> GuestTime:
    return daemon.since


@functools.lru_cache(maxsize=4096)
def is_snapd(exe: str) -> bool:
    """The program is snapd's daemon."""
    return exe.removesuffix(" (deleted)").endswith(_PROGRAMS)


def _executed(happened: Happened) -> list[Daemon]:
    return [daemon for images in happened.images.values() for daemon in _lives_of(images)]


def _lives_of(images: Iterable[Placed[Executed]]) -> Iterator[Daemon]:
    life: Daemon | None = None
    for line, one in images:
        if is_snapd(one.exe):
            since = life.since if life else one.at
            life = Daemon(pid=one.pid, build=one.build_id, exe=one.exe, since=since, line=line)
        elif life:
            yield life
            life = None
    if life:
        yield life


def _confirm(found: list[Daemon], seen: SeenLook, snapd: SnapdSeen) -> None:
    """What a look reads of a process it sees is of its last program, so it is better than what was traced."""
    for number, daemon in enumerate(found):
        if daemon.pid == snapd.pid and daemon.since <= seen.look.at:
            build = snapd.build_id or daemon.build
            found[number] = replace(daemon, build=build, exe=snapd.exe, looked=True)
            return
    found.append(
        Daemon(
            pid=snapd.pid,
            build=snapd.build_id,
            exe=snapd.exe,
            since=snapd.started,
            line=seen.line,
            looked=True,
        )
    )


def _only_by_unit(changes: Iterable[Placed[UnitChanged]], known: set[int]) -> list[Daemon]:
    found: dict[int, Daemon] = {}
    for line, change in changes:
        pid = change.unit.main_pid
        if pid and pid not in known and change.unit.active_state in _UP:
            found.setdefault(pid, Daemon(pid=pid, build="", exe="", since=change.at, line=line))
    return list(found.values())


def _doubted(daemons: Iterable[Daemon]) -> Iterator[Daemon]:
    """Once a core's snapd ran in a boot, one that seems to be the image's must have been looked at."""
    from_snap = False
    for daemon in daemons:
        doubtful = from_snap and not daemon.from_snap and not daemon.looked
        yield replace(daemon, build="") if doubtful else daemon
        from_snap = from_snap or daemon.from_snap


def _with_ready(daemons: Iterable[Daemon], changes: Sequence[Placed[UnitChanged]]) -> Iterator[Daemon]:
    ordered = tuple(daemons)
    actives = [change.at for _, change in changes if change.unit.active_state == "active"]
    for daemon, after in zip(ordered, (*ordered[1:], None), strict=False):
        number = bisect_left(actives, daemon.since)
        ready = actives[number] if number < len(actives) else None
        yield replace(daemon, ready=None if ready and after and ready >= after.since else ready)


def daemons_by_boot(
    happened: Mapping[int, Happened], looks: Mapping[int, Sequence[SeenLook]]
) -> Mapping[int, Daemons]:
    """The daemons of each boot."""
    return {boot: Daemons.of(one, looks.get(boot, ())) for boot, one in happened.items()}
