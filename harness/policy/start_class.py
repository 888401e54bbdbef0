# SPDX-License-Identifier: GPL-3.0-only
"""What one attempt to start a service came to: the classes of docs/design.md, section 1.

A start is read against the snapd that runs when it executes; before the boot's first snapd, that is the
first. The launcher of an attempt that came to nothing is blamed on policy only when what lay on disk
explains it and the running build is known to make something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from harness.model.clock import GuestTime
from harness.model.observation import PolicyFile, PolicyKind, WordsSeen
from harness.model.occurrence import Started
from harness.model.verdict import Evidence
from harness.policy import confinement, launcher_profiles
from harness.policy.authorship import WITNESS, Claim
from harness.policy.builds import short
from harness.policy.confinement import Class
from harness.policy.daemons import Daemon
from harness.policy.happened import Placed
from harness.policy.kind import COMPILED_SECCOMP, GLOBAL, base_name, programs
from harness.policy.knowledge import Knowledge
from harness.policy.looked_at import looked_at
from harness.policy.part import Part, State, Surroundings, authors_of, proof_of
from harness.policy.starts import Attempt
from harness.policy.system_key import Guard

_LAUNCHER_GAVE_UP = 1  # snap-confine's die(): exit(1)
# What AppArmor's refusals, EACCES and EPERM, are called (security/apparmor; strerror(3)).
_REFUSED = ("Permission denied", "Operation not permitted")
_ON_DISK = (*COMPILED_SECCOMP, PolicyKind.APPARMOR_SOURCE)


class StartClass(StrEnum):
    """What an attempt came to."""

    FRESH = "fresh"  # the service runs under policy of the running snapd
    LUCKY = "lucky"  # so it does, but it did not wait and nothing would have held it back
    STALE = "stale"  # it runs under policy of another build
    UNCONFINED = "unconfined"  # it runs without policy that exists
    MISSING = "missing"  # there was no policy on disk, and it ran or gave up
    BROKEN = "broken"  # its launcher died of the policy on disk, and the running snapd makes a good one
    UNSEEN = "unseen"  # it ran, or may have, and the evidence does not say under what
    DEAD = "dead"  # its launcher died, and the evidence does not say why
    WAITING = "waiting"  # its launcher had not executed it: no start yet
    STOPPED = "stopped"  # its launcher was told to stop: no start


_OF_CONFINEMENT = {
    Class.FRESH: StartClass.FRESH,
    Class.STALE: StartClass.STALE,
    Class.MIXED: StartClass.STALE,
    Class.UNCONFINED: StartClass.UNCONFINED,
    Class.MISSING: StartClass.MISSING,
    Class.WAITING: StartClass.UNSEEN,
    Class.UNSEEN: StartClass.UNSEEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An attempt with what it came to.

    `daemon` is the snapd that ran, `early` says that it executed before that snapd's READY (None when
    READY was not seen), `guard` what the system-key would have done about it; `why` is for people. `blamed`
    are the builds that made what a broken one's launcher died of.
    """

    attempt: Attempt
    kind: StartClass
    daemon: Daemon | None
    at: GuestTime
    parts: tuple[Part, ...] = ()
    why: str = ""
    early: bool | None = False
    guard: Guard = Guard.NONE
    proof: tuple[Evidence, ...] = ()
    blamed: tuple[str, ...] = ()

    @property
    def waited(self) -> GuestTime:
        """The time between the launcher's beginning and the execution of the service."""
        return GuestTime(max(0, self.at - self.attempt.begun))


def classify(boot: int, attempt: Attempt, known: Knowledge) -> Judged:
    """Class one attempt of a boot."""
    at = attempt.start.of.at if attempt.start else attempt.begun
    daemon = known.daemons[boot].running(at)
    if attempt.start is None:
        return _without_start(boot, attempt, daemon, known)
    line, start = attempt.start
    proof = (Evidence(WITNESS, line, f"{start.tag}: process {start.pid} executed {start.exe}"),)
    if daemon is None or not daemon.build:
        why = "which snapd runs was not seen"
        return Judged(
            attempt=attempt, kind=StartClass.UNSEEN, daemon=daemon, at=at, why=why, early=None, proof=proof
        )
    return _with_start(boot, attempt, start, daemon, known, proof)


# -- attempts that executed the service


def _with_start(
    boot: int, attempt: Attempt, start: Started, daemon: Daemon, known: Knowledge, proof: tuple[Evidence, ...]
) -> Judged:
    guard, key = _guard(boot, attempt, daemon, known)
    early = None if daemon.ready is None else start.at < daemon.ready
    kind, parts, why = _confinement(boot, attempt, start, daemon, known)
    if kind == StartClass.FRESH and early is not False and guard == Guard.NONE:
        kind = StartClass.LUCKY
    return Judged(
        attempt=attempt,
        kind=kind,
        daemon=daemon,
        at=start.at,
        parts=parts,
        why=why,
        early=early,
        guard=guard,
        proof=(*proof, *key),
    )


def _guard(
    boot: int, attempt: Attempt, daemon: Daemon, known: Knowledge
) -> tuple[Guard, tuple[Evidence, ...]]:
    """Only `snap` compares the key: a launch without it was not guarded, one not seen may have been."""
    guard, key = known.keys.guard(boot, attempt.compared_at, daemon.build)
    if attempt.chain and not attempt.by_snap:
        return Guard.NONE, (*key, _chain_evidence(attempt))
    if not attempt.chain and guard == Guard.CONFIRMED:
        return Guard.BELIEVED, key
    return guard, key


def _confinement(
    boot: int, attempt: Attempt, start: Started, daemon: Daemon, known: Knowledge
) -> tuple[StartClass, tuple[Part, ...], str]:
    process = start.process
    if process is None:
        return StartClass.UNSEEN, (), "it had gone before its confinement was read"
    if process.pid != start.pid:
        return StartClass.UNSEEN, (), f"what was read is of process {process.pid}"
    around = _surroundings(boot, attempt, start, known)
    parts = confinement.parts_of(around, process, start.tag, daemon.build, known)
    return _OF_CONFINEMENT[confinement.class_of(around, process, start.tag, parts)], parts, process.problem


def _surroundings(boot: int, attempt: Attempt, start: Started, known: Knowledge) -> Surroundings:
    moment = (boot, int(start.at))
    files = (
        *known.disk.files(_ON_DISK, start.tag, moment),
        *known.disk.files(COMPILED_SECCOMP, GLOBAL, moment),
    )
    profiles = (start.profile,) if start.profile else ()
    problems = () if known.disk.is_known(moment) else ("the disk had not been read by then",)
    line = attempt.start.line if attempt.start else attempt.line
    return Surroundings(line, files, profiles, problems)


# -- attempts that did not


def _without_start(boot: int, attempt: Attempt, daemon: Daemon | None, known: Knowledge) -> Judged:
    fate = _fate(boot, attempt, daemon, known)
    return Judged(
        attempt=attempt,
        kind=fate.kind,
        daemon=daemon,
        at=attempt.begun,
        why=fate.why,
        early=None,
        proof=(_chain_evidence(attempt), *_last_words(boot, attempt, known), *fate.proof),
        blamed=fate.blamed,
    )


def _words(boot: int, attempt: Attempt, known: Knowledge) -> Iterator[Placed[WordsSeen]]:
    """What its process gave the journal, which convicts nobody."""
    for line, words in known.words.get((boot, attempt.pid), ()):
        if words.tag == attempt.tag and words.at >= attempt.begun:
            yield Placed(line, words)


def _last_words(boot: int, attempt: Attempt, known: Knowledge) -> Iterator[Evidence]:
    for line, words in _words(boot, attempt, known):
        yield Evidence(WITNESS, line, f"{attempt.tag}: process {words.pid} said: {words.text}")


def _chain_evidence(attempt: Attempt) -> Evidence:
    last = attempt.chain[-1].of.exe if attempt.chain else "nothing that was seen"
    says = f"{attempt.tag}: process {attempt.pid or 'unknown'} executed {last}"
    return Evidence(WITNESS, attempt.line, says)


@dataclass(frozen=True, slots=True)
class _Fate:
    """What a launcher that executed nothing came to, why, and whose policy it died of."""

    kind: StartClass
    why: str
    proof: tuple[Evidence, ...] = ()
    blamed: tuple[str, ...] = ()


def _fate(boot: int, attempt: Attempt, daemon: Daemon | None, known: Knowledge) -> _Fate:
    if not attempt.is_main:
        return _Fate(StartClass.STOPPED, "a command of the service, not the service")
    if attempt.went_on:
        return _Fate(StartClass.UNSEEN, "it executed, but its confinement was not read")
    if attempt.end is None and attempt.followed:
        return _Fate(StartClass.DEAD, "how its launcher ended was not seen")
    if attempt.end is None:
        return _Fate(StartClass.WAITING, "its launcher had not executed it")
    line, change = attempt.end
    unit = change.unit
    state = f"{unit.active_state} ({unit.sub_state}), result {unit.result or 'none'}, {unit.exit_status}"
    said = Evidence(WITNESS, line, f"{unit.name} is {state}")
    if unit.active_state == "inactive" and unit.result in ("", "success") and attempt.chain:
        return _Fate(StartClass.STOPPED, "its launcher was told to stop", (said,))
    gave_up = unit.result == "exit-code" and unit.exit_status == _LAUNCHER_GAVE_UP and attempt.launched
    if not gave_up or daemon is None or not known.authors.whole.get((daemon.build, attempt.tag)):
        return _Fate(StartClass.DEAD, f"its launcher ended: {state}", (said,))
    fate = _blame(boot, attempt, (boot, int(change.at)), daemon, known)
    return replace(fate, why=f"its launcher gave up{fate.why}", proof=(said, *fate.proof))


def _blame(boot: int, attempt: Attempt, at: tuple[int, int], daemon: Daemon, known: Knowledge) -> _Fate:
    places = known.writers.directories(daemon.build, COMPILED_SECCOMP)
    files = [
        file
        for file in looked_at(COMPILED_SECCOMP, attempt.tag, at, places, known.disk)
        if known.authors.expected(daemon.build, file.kind, file.name)
    ]
    if not files:
        if not known.disk.is_known((boot, int(attempt.begun))):
            return _Fate(StartClass.DEAD, ", and the disk had not been read by then")
        runs = known.builds.name(daemon.build)
        return _Fate(StartClass.MISSING, f", and no seccomp policy of {runs}'s kind was on disk")
    bad = [(file, unfit) for file in files if (unfit := _unfit(file, daemon, known))]
    if not bad:
        return _blame_own_profile(boot, attempt, daemon, known)
    why = "; ".join(f"{base_name(file)} {short(file.sha256)} {unfit.why}" for file, unfit in bad)
    return _Fate(
        StartClass.BROKEN,
        f", and {why}",
        tuple(one for _, unfit in bad for one in unfit.proof),
        tuple(dict.fromkeys(author for _, unfit in bad for author in unfit.authors)),
    )


def _blame_own_profile(boot: int, attempt: Attempt, daemon: Daemon, known: Knowledge) -> _Fate:
    """A launcher of a core may die of the profile that it runs under itself.

    Nothing shows that it did but that profile, so what it said itself may speak against it.
    """
    of_core = any(fnmatchcase(one.of.exe, launcher_profiles.NAME) for one in attempt.chain)
    foreign = known.launchers.foreign(boot, attempt.begun, daemon.build) if of_core else None
    if not foreign:
        return _Fate(StartClass.DEAD, " over good policy")
    said = [words.text for _, words in _words(boot, attempt, known)]
    if said and not any(refusal in text for text in said for refusal in _REFUSED):
        return _Fate(StartClass.DEAD, " over good policy, and was refused nothing by its own word")
    why = f", and the AppArmor profile of the launcher {short(foreign.digest)} is of "
    return _Fate(
        StartClass.BROKEN, f"{why}{known.builds.name(foreign.build)}", (foreign.proof,), (foreign.build,)
    )


@dataclass(frozen=True, slots=True)
class _Unfit:
    """Why a compiled file is not what the running build makes."""

    why: str
    authors: tuple[str, ...] = ()
    proof: tuple[Evidence, ...] = ()


def _unfit(file: PolicyFile, daemon: Daemon, known: Knowledge) -> _Unfit | None:
    found: set[Claim] = set()
    is_text = file.kind == PolicyKind.SECCOMP_TEXT
    for digest in (file.sha256,) if is_text else programs(file).values():
        found |= known.authors.of_digest(file.kind, file.name, digest)
    authors = authors_of(found)
    if not authors:
        return _Unfit("is no policy of any known build")
    if daemon.build in authors:
        return None
    names = " or ".join(known.builds.name(author) for author in authors)
    return _Unfit(f"is of {names}", authors, proof_of(found, authors))


def foreign_authors(judged: Judged) -> tuple[str, ...]:
    """The builds that made what is stale, or what the launcher died of."""
    stale = (part for part in judged.parts if part.state == State.STALE)
    return judged.blamed or tuple(sorted({author for part in stale for author in part.authors}))
