# SPDX-License-Identifier: GPL-3.0-only
"""Every attempt to start a snap's service in one boot, from whatever source tells of it.

systemd executes `snap run`, which executes snap-confine, then snap-exec, then the service's own program: one
process throughout. What the kernel saw executed gives the chain, the witness's reading at the last step of it
the confinement, and systemd how it ended. An attempt that only one of them tells of is one nevertheless: a
launcher that died, or a start of which evidence was lost.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.model.clock import GuestTime
from harness.model.observation import UnitSeen
from harness.model.occurrence import Executed, Started, UnitChanged
from harness.policy.happened import Happened, Placed

_LAUNCHER = "snap"
_SHELL = "--shell"
_CONFINES = "snap-confine"
_CHAIN = (_LAUNCHER, _CONFINES, "snap-exec")
_OF_SNAPD = ("/usr/bin/", "/usr/lib/snapd/", "/usr/libexec/snapd/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to start the service `tag`.

    `chain` are the programs that the process executed, `start` the reading once it had executed the
    service, `end` the first word of systemd that it was over, before the next attempt (`followed`).
    `filtered` tells that the process gave itself a seccomp filter, as snap-confine does last of all.
    """

    tag: str
    pid: int
    begun: GuestTime
    line: int
    chain: tuple[Placed[Executed], ...] = ()
    start: Placed[Started] | None = None
    end: Placed[UnitChanged] | None = None
    filtered: bool = False
    followed: bool = False

    @property
    def went_on(self) -> bool:
        """The launcher got as far as the service's policy or program, whether or not that was read."""
        return self.filtered or any(program_of(one.of.exe) not in _CHAIN for one in self.chain)

    @property
    def launched(self) -> bool:
        """It came as far as snap-confine, which reads policy; `snap run` may give up before."""
        return any(program_of(one.of.exe) == _CONFINES for one in self.chain)

    @property
    def is_main(self) -> bool:
        """It starts the service itself, not one of the commands that stop or reload it."""
        return not any(word.startswith("--command=") for one in self.chain for word in one.of.argv)

    @property
    def by_snap(self) -> bool:
        """`snap run` launched it."""
        return any(program_of(one.of.exe) == _LAUNCHER for one in self.chain)

    @property
    def compared_at(self) -> GuestTime:
        """When the last `snap` of the chain executed, which is when it compares the system-key."""
        snaps = [one.of.at for one in self.chain if program_of(one.of.exe) == _LAUNCHER]
        return snaps[-1] if snaps else self.begun


@functools.lru_cache(maxsize=4096)
def program_of(exe: str) -> str:
    """The name of a program of snapd's, or the whole path of any other."""
    place, _, name = exe.removesuffix(" (deleted)").rpartition("/")
    return name if f"{place}/".endswith(_OF_SNAPD) else exe


UNTOLD = ""
"""The tag of attempts of which nobody told whose they are: any service's, or none's."""


def attempts_of(happened: Happened, tags: Iterable[str]) -> Mapping[str, tuple[Attempt, ...]]:
    """The attempts of each of these services in order, and those that may be of any (`UNTOLD`)."""
    wanted = frozenset(tags)
    found: dict[str, list[Attempt]] = {tag: [] for tag in sorted({*wanted, UNTOLD})}
    for attempt in _chains(happened, wanted):
        found[attempt.tag].append(attempt)
    return {tag: _of_tag(happened, tag, chains) for tag, chains in found.items()}


def _of_tag(happened: Happened, tag: str, chains: list[Attempt]) -> tuple[Attempt, ...]:
    images, starts = happened.images, happened.starts.get(tag, ())
    attempts = _with_starts(chains, (one for one in starts if not _is_shell(images.get(one.of.pid, ()))))
    changes = happened.units.get(f"{tag}.service", ())
    attempts += _only_by_unit(tag, changes, {attempt.pid for attempt in attempts})
    attempts.sort(key=_order)
    return tuple(_with_ends(attempts, changes))


def _order(attempt: Attempt) -> tuple[GuestTime, int]:
    return attempt.begun, attempt.pid


# -- what the kernel saw executed


def _chains(happened: Happened, wanted: frozenset[str]) -> Iterator[Attempt]:
    for pid, images in happened.images.items():
        chains = tuple(_chains_of(images))
        for chain, after in zip(chains, (*chains[1:], None), strict=False):
            tag = _tag_of(chain, wanted) if _launches(chain) else None
            if tag is not None:
                line, first = chain[0]
                until = after[0].of.at if after else None
                filtered = _has_one(happened.filters.get(pid, ()), first.at, until)
                yield Attempt(tag=tag, pid=pid, begun=first.at, line=line, chain=chain, filtered=filtered)


def _has_one(times: Sequence[GuestTime], since: GuestTime, until: GuestTime | None) -> bool:
    number = bisect_left(times, since)
    return number < len(times) and (until is None or times[number] < until)


def _launches(chain: Iterable[Placed[Executed]]) -> bool:
    """`snap` may do other things than `snap run`; what its arguments were is not always known."""
    snaps = [one.of.argv for one in chain if program_of(one.of.exe) == _LAUNCHER]
    return not _is_shell(chain) and all(argv[1] == "run" for argv in snaps if len(argv) > 1)


def _is_shell(images: Iterable[Placed[Executed]]) -> bool:
    """`snap run --shell`: not the service, but somebody under its tag, such as the witness's twins."""
    return any(one.of.argv[1:3] == ("run", _SHELL) for one in images)


def _chains_of(images: Iterable[Placed[Executed]]) -> Iterator[tuple[Placed[Executed], ...]]:
    """Cut what one process number executed into launches: each begins with `snap`, or what is left of it."""
    chain: list[Placed[Executed]] = []
    for one in images:
        name = program_of(one.of.exe)
        begins = name == _LAUNCHER and (not chain or program_of(chain[-1].of.exe) != _LAUNCHER)
        if begins and chain:
            yield tuple(chain)
            chain = []
        if chain or name in _CHAIN:
            chain.append(one)
    if chain:
        yield tuple(chain)


def _tag_of(chain: Sequence[Placed[Executed]], wanted: frozenset[str]) -> str | None:
    """Which service is started; None for hooks, commands that people run, and other services."""
    units = {one.of.unit for one in chain if one.of.unit}
    by_unit = {unit.removesuffix(".service") for unit in units} & wanted
    if units:
        return min(by_unit, default=None)
    told = [one.of.argv for one in chain]
    named = [word for argv in told for word in argv if word.startswith("snap.")]
    named = named or [tag for argv in told for tag in _tags_of_run(argv)]
    if named:
        return next((tag for tag in named if tag in wanted), None)
    return UNTOLD if program_of(chain[-1].of.exe) != _LAUNCHER else None


def _tags_of_run(argv: Sequence[str]) -> Iterator[str]:
    """`snap run NAME[.APP]`; snap-confine is told the whole tag."""
    if len(argv) > 2 and argv[1] == "run":
        snap, _, app = argv[-1].partition(".")
        is_hook = any(word.startswith("--hook") for word in argv)
        yield f"snap.{snap}.hook" if is_hook else f"snap.{snap}.{app or snap}"


# -- what the witness read


def _with_starts(chains: list[Attempt], starts: Iterable[Placed[Started]]) -> list[Attempt]:
    by_pid: dict[int, list[int]] = {}
    for number, attempt in enumerate(chains):
        by_pid.setdefault(attempt.pid, []).append(number)
    found = list(chains)
    for start in starts:
        one = start.of
        fitting = [n for n in by_pid.get(one.pid, ()) if found[n].begun <= one.at and not found[n].start]
        if fitting:
            found[fitting[-1]] = replace(found[fitting[-1]], start=start)
        else:
            found.append(Attempt(tag=one.tag, pid=one.pid, begun=one.at, line=start.line, start=start))
    return found


# -- what systemd said


def _only_by_unit(tag: str, changes: Iterable[Placed[UnitChanged]], known: set[int]) -> list[Attempt]:
    found: dict[int, Attempt] = {}
    for line, change in changes:
        pid = change.unit.main_pid
        if pid and pid not in known and _is_up(change.unit):
            found.setdefault(pid, Attempt(tag=tag, pid=pid, begun=change.at, line=line))
    return list(found.values())


def _is_up(unit: UnitSeen) -> bool:
    return unit.active_state in ("activating", "active", "reloading") and not _is_over(unit)


def _is_over(unit: UnitSeen) -> bool:
    return unit.active_state in ("failed", "inactive") or unit.sub_state.startswith("auto-restart")


def _with_ends(attempts: Sequence[Attempt], changes: Sequence[Placed[UnitChanged]]) -> Iterator[Attempt]:
    ends = [change for change in changes if _is_over(change.of.unit)]
    for attempt, after in zip(attempts, (*attempts[1:], None), strict=False):
        number = bisect_left(ends, attempt.begun, key=_changed_at)
        end = ends[number] if number < len(ends) else None
        if end and after and end.of.at > after.begun:
            end = None
        yield replace(attempt, end=end, followed=after is not None)


def _changed_at(change: Placed[UnitChanged]) -> GuestTime:
    return change.of.at


def restarts_unseen(attempts: Sequence[Attempt], changes: Iterable[Placed[UnitChanged]]) -> int:
    """How many starts systemd tells of beyond those known; its count of restarts is only set back by hand.

    It stamps a unit active when it forks, which can be seconds before the process executes anything.
    """
    begun = [attempt.begun for attempt in attempts]
    place = {attempt.pid: number for number, attempt in enumerate(attempts, start=1)}
    missing = 0
    for _, change in changes:
        unit = change.unit
        told = max(unit.restarts + (unit.active_state == "active"), int(unit.active_state == "failed"))
        known = max(bisect_right(begun, change.at), place.get(unit.main_pid, 0))
        missing = max(missing, told - known)
    return missing
