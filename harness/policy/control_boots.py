# SPDX-License-Identifier: GPL-3.0-only
"""A fingerprint, read from the record of the control boots of one core (scenario/alone.py).

What the kernel held for a service is kept only when both boots show the same, each after that snapd had
made all policy anew; a digest that changes by itself could name nobody. That it was made anew, the files
show: each changed after the first of the two looks, after which no other snapd ran. The filter that several
snapds add for every snap is left out: it is a constant, and tells none of them from another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import CannotMeasure
from harness.model.event import ArtifactUsed
from harness.model.fingerprint import Fingerprint
from harness.model.observation import Look, PolicyKind, ProcessSeen
from harness.model.plan import Boot, RebootGuest
from harness.model.timeline import BootRecord, Timeline
from harness.policy import apparmor, seccomp
from harness.policy.builds import short
from harness.policy.kind import COMPILED_SECCOMP, GLOBAL_PROGRAM, base_name
from harness.policy.profile_digests import kernel_digests

_FEWEST = 3  # in which the core is made to run, and two to compare


@dataclass(frozen=True, slots=True)
class _Reading:
    """The digests of one part of a service's policy; `lacks` says why there are none."""

    digests: tuple[str, ...] = ()
    lacks: str = ""

    def __str__(self) -> str:
        return self.lacks or " ".join(map(short, self.digests))


def fingerprint_of(timeline: Timeline, core: str) -> Fingerprint:
    """The fingerprint of the catalogue's core `core`.

    :raise CannotMeasure: the record is not whole, a boot did not settle, or another snapd ran.
    """
    artifact = _artifact(timeline, core, "snap", core)
    build = artifact.build_ids.get("snapd", "")
    if not build:
        raise _cannot(core, "the snapd in it has no build id, so that nobody can say whether it ran")
    _require_whole(timeline, core)
    first, second = (_look(boot, core, build) for boot in timeline.boots[-2:])
    refused: list[str] = []
    return Fingerprint(
        core=core,
        core_sha256=artifact.sha256,
        build=build,
        image=_artifact(timeline, core, "image").sha256,
        seccomp=_stable(_SECCOMP, first, second, refused),
        apparmor=_stable(_APPARMOR, first, second, refused),
        refused=tuple(sorted(refused)),
    )


def _artifact(timeline: Timeline, core: str, role: str, name: str = "") -> ArtifactUsed:
    for one in timeline.artifacts:
        if one.role == role and name in ("", one.name):
            return one
    raise _cannot(core, f"the record does not say which {role} was used")


def _require_whole(timeline: Timeline, core: str) -> None:
    if timeline.failure:
        raise _cannot(core, f"step {timeline.failure.number}: {timeline.failure.message}")
    if timeline.gaps:
        raise _cannot(core, f"the record is not whole: {timeline.gaps[0]}")
    planned = sum(isinstance(step.action, Boot | RebootGuest) for step in timeline.plan.steps)
    if not _FEWEST <= planned == len(timeline.boots):
        raise _cannot(core, f"{planned} boots were planned and there were {len(timeline.boots)}")


def _look(boot: BootRecord, core: str, build: str) -> Look:
    """The look at a boot's end, in which nothing is left to doubt."""
    seen = boot.end_look
    if seen is None:
        raise _cannot(core, f"the end of boot {boot.number} was not looked at")
    look = seen.look
    if doubts := (*look.unsettled, *look.problems):
        raise _cannot(core, f"boot {boot.number} had not settled, or was not read as a whole: {doubts[0]}")
    if look.snapd is None or look.snapd.build_id != build:
        other = f"{look.snapd.exe}, build {short(look.snapd.build_id)}" if look.snapd else "no snapd"
        raise _cannot(
            core,
            f"in boot {boot.number} {other} ran instead of this core's, build {short(build)}",
            hint="snapd does not re-execute into a core older than the image's own deb: use an older image",
        )
    return look


def _cannot(core: str, why: str, *, hint: str = "") -> CannotMeasure:
    return CannotMeasure(f"cannot take the fingerprint of core {core}: {why}", hint=hint)


def _stable(
    part: _PartOfPolicy, first: Look, second: Look, refused: list[str]
) -> Mapping[str, tuple[str, ...]]:
    """By tag what both boots show alike; `refused` gets a line for everything else."""
    kept: dict[str, tuple[str, ...]] = {}
    for tag in sorted({service.tag for look in (first, second) for service in look.services}):
        one, other = (_read(part, look, tag) for look in (first, second))
        if one != other:
            refused.append(f"{tag}: {part.what} is not stable: one boot had {one}, the next {other}")
        elif one.lacks:
            refused.append(f"{tag}: {part.what} could not be read: {one.lacks}")
        elif doubt := _not_made_anew(part, first, second, tag):
            refused.append(f"{tag}: {part.what} is not of this core alone: {doubt}")
        else:
            kept[tag] = one.digests
    return kept


def _not_made_anew(part: _PartOfPolicy, first: Look, second: Look, tag: str) -> str:
    """Why the second look's policy may not have been made after the first look; empty when it was."""
    files = [file for file in second.files if file.name == tag and file.kind in part.kinds]
    old = [base_name(file) for file in files if file.changed <= first.at + first.boot_wall]
    if old:
        return f"{old[0]} was not made anew"
    return "" if files else "nothing of it is on disk"


def _read(part: _PartOfPolicy, look: Look, tag: str) -> _Reading:
    service = next((service for service in look.services if service.tag == tag), None)
    main = next((process for process in service.processes if process.main), None) if service else None
    if main is None:
        return _Reading(lacks="it has no main process")
    return _Reading(lacks=main.problem) if main.problem else part.read(look, tag, main)


def _programs(_: Look, __: str, main: ProcessSeen) -> _Reading:
    own = {one.sha256 for one in main.filters} - {GLOBAL_PROGRAM}
    return _Reading(tuple(sorted(own)), "" if own else "it has no filter of its own")


def _profile(look: Look, tag: str, main: ProcessSeen) -> _Reading:
    if main.label != tag:
        return _Reading(lacks=f"its label is {main.label or 'empty'}")
    found = [kernel_digests(profile) for profile in look.profiles if profile.name == tag]
    if len(found) != 1 or not found[0]:
        return _Reading(lacks="the kernel has no one profile of it with a digest")
    return _Reading(found[0])


@dataclass(frozen=True, slots=True)
class _PartOfPolicy:
    """One part of what confines a service: how it is read, and the kinds of its files."""

    what: str
    read: Callable[[Look, str, ProcessSeen], _Reading]
    kinds: tuple[PolicyKind, ...]


_SECCOMP = _PartOfPolicy(seccomp.WHAT, _programs, (PolicyKind.SECCOMP_SOURCE, *COMPILED_SECCOMP))
_APPARMOR = _PartOfPolicy(apparmor.WHAT, _profile, (PolicyKind.APPARMOR_SOURCE, PolicyKind.APPARMOR_CACHE))
