# SPDX-License-Identifier: GPL-3.0-only
"""Everything that confines one process of a service, and what that comes to.

Seccomp filters stay with a process for life, so they say what it was started with; AppArmor profiles are
replaced under it when snapd regenerates. A process that began before the running snapd did, under filters
of the snapd that ran then, is therefore no wrong start (`mixed`): it outlived a change of core. That it
was so needs a look from before the change; without one it is left open, and where the steps of the boot
hold no change of core, such a process was started under stale policy. In the boot after a cut, where snapd
goes on with what was cut, its start is what shows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.model.observation import PolicyKind, ProcessSeen, ServiceSeen, SnapdSeen
from harness.model.timeline import SeenLook
from harness.model.verdict import Evidence
from harness.policy import apparmor, seccomp
from harness.policy.authorship import WITNESS
from harness.policy.kind import COMPILED_SECCOMP
from harness.policy.knowledge import Knowledge
from harness.policy.launchers import is_launcher
from harness.policy.part import Part, State, Surroundings


class Class(StrEnum):
    """What a process of a service runs under, at the moment of a look."""

    FRESH = "fresh"  # policy of the running snapd
    STALE = "stale"  # policy of another build
    MIXED = "mixed"  # seccomp of the snapd that ran when it began, AppArmor of the one that runs
    WAITING = "waiting"  # still the launcher, which has not executed the service
    UNCONFINED = "unconfined"  # it runs without policy that exists
    MISSING = "missing"  # it runs and there is no policy
    UNSEEN = "unseen"  # the look does not say


@dataclass(frozen=True, slots=True)
class Confinement:
    """A process with the parts of its confinement; `parts` is empty while it waits.

    `earlier` is, for a mixed one, where it was seen with the same filters under the snapd of then.
    """

    process: ProcessSeen
    kind: Class
    parts: tuple[Part, ...]
    earlier: Evidence | None = None


def read(seen: SeenLook, service: ServiceSeen, snapd: SnapdSeen, known: Knowledge) -> tuple[Confinement, ...]:
    """Every process of a service while this snapd runs, the main process first."""
    ordered = sorted(service.processes, key=lambda process: (not process.main, process.pid))
    waiting = _waiting(service)
    return tuple(
        Confinement(process, Class.WAITING, ())
        if process.pid in waiting
        else _read_process(seen, process, service.tag, snapd, known)
        for process in ordered
    )


def _waiting(service: ServiceSeen) -> frozenset[int]:
    """The launcher and the tools it runs (snap-seccomp, snap-update-ns) before it executes the service."""
    found = {process.pid for process in service.processes if is_waiting(process, service.tag)}
    rest = [process for process in service.processes if _without_policy(process, service.tag)]
    while more := {process.pid for process in rest if process.ppid in found} - found:
        found |= more
    return frozenset(found)


def _read_process(
    seen: SeenLook, process: ProcessSeen, tag: str, snapd: SnapdSeen, known: Knowledge
) -> Confinement:
    around = Surroundings.of(seen)
    filters, profile = parts_of(around, process, tag, snapd.build_id, known)
    kind = class_of(around, process, tag, (filters, profile))
    if kind != Class.STALE or profile.state != State.FRESH or process.started >= snapd.started:
        return Confinement(process, kind, (filters, profile))
    earlier = _seen_earlier(seen, process, tag, known)
    if earlier is None and not seen.taken.expects_core:
        earlier = _started_fresh(seen, process, tag, snapd, known)
    cores = {known.builds.core(author) for author in filters.authors}
    outlived = earlier is not None or bool(cores & known.replaced.get(seen.taken.number, frozenset()))
    return Confinement(process, Class.MIXED if outlived else Class.STALE, (filters, profile), earlier)


def parts_of(
    around: Surroundings, process: ProcessSeen, tag: str, build: str, known: Knowledge
) -> tuple[Part, Part]:
    """The process's seccomp and its AppArmor, read while the snapd of `build` runs."""
    return (
        seccomp.read(around, process, tag, build, known.authors, known.builds),
        apparmor.read(around, process, tag, build, known.authors, known.builds),
    )


def is_waiting(process: ProcessSeen, tag: str) -> bool:
    """The process is still `snap run` or snap-confine, before any of the service's policy applies.

    snap-exec under policy is past that point: the policy it has is the service's.
    """
    return is_launcher(process.exe) and _without_policy(process, tag)


def _without_policy(process: ProcessSeen, tag: str) -> bool:
    confined = process.label == tag or process.label.startswith(f"{tag}//")
    return not process.problem and process.seccomp_mode == 0 and not confined


def class_of(around: Surroundings, process: ProcessSeen, tag: str, parts: Iterable[Part]) -> Class:
    """What the parts come to, without asking how they came about."""
    states = {part.state for part in parts}
    if State.ABSENT in states:
        return Class.UNCONFINED
    if State.MISSING in states:
        return Class.UNCONFINED if _has_some_policy(around, tag) else Class.MISSING
    if State.STALE in states:
        return Class.STALE
    if State.UNSEEN in states or process.problem:
        return Class.UNSEEN
    return Class.FRESH


def _has_some_policy(around: Surroundings, tag: str) -> bool:
    kinds = (*COMPILED_SECCOMP, PolicyKind.APPARMOR_SOURCE)
    return any(file.name == tag and file.kind in kinds for file in around.files)


def _started_fresh(
    seen: SeenLook, process: ProcessSeen, tag: str, snapd: SnapdSeen, known: Knowledge
) -> Evidence | None:
    """A start of the service, all fresh, while another snapd ran than the one that runs at the look.

    The process is the one that started, or a later one that has its filters from it.
    """
    boot = seen.taken.boot
    for line, start in known.happened[boot].starts.get(tag, ()):
        then = known.daemons[boot].running(start.at)
        if start.process is None or start.process.filters != process.filters:
            continue
        if start.process.started > process.started:
            continue
        if then is None or then.build in ("", snapd.build_id):
            continue
        files = known.disk.files(COMPILED_SECCOMP, tag, (boot, int(start.at)))
        around = Surroundings(line, files, (start.profile,) if start.profile else ())
        parts = parts_of(around, start.process, tag, then.build, known)
        if class_of(around, start.process, tag, parts) == Class.FRESH:
            says = f"{tag}: process {start.pid} started while snapd {known.builds.name(then.build)} ran"
            return Evidence(WITNESS, line, says)
    return None


def _seen_earlier(seen: SeenLook, process: ProcessSeen, tag: str, known: Knowledge) -> Evidence | None:
    """A look of this boot at the same process, all fresh, when the snapd ran whose filters it has."""
    for other, same in known.appearances.get((seen.taken.boot, tag, process.pid, process.started), ()):
        snapd = other.look.snapd
        if other.line >= seen.line or snapd is None or same.filters != process.filters:
            continue
        if _read_process(other, same, tag, snapd, known).kind == Class.FRESH:
            name = known.builds.name(snapd.build_id)
            says = f"{tag}: process {process.pid} had these filters while snapd {name} ran"
            return Evidence(WITNESS, other.line, says)
    return None
