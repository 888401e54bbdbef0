# SPDX-License-Identifier: GPL-3.0-only
"""Once a boot has settled, a second start of each service gets the policy that the service got.

The check needs no knowledge of any revision, and so is independent of who is believed to make what. It
shows what has changed since the service was started; policy that is stale for the service and its twin
alike, because snapd never generated it anew, it does not show. Only in the boot after a cut, where snapd may
have gone over to another core, a service that outlived that is not compared: its twin's policy must then be
of the snapd that runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.invariant.ends import absent_snaps, ends_of, unseen_end, witness
from harness.model.observation import ProcessSeen, ServiceSeen, TwinSeen
from harness.model.timeline import SeenLook, Timeline
from harness.model.verdict import Finding, Outcome
from harness.policy import confinement
from harness.policy.builds import short
from harness.policy.confinement import Class
from harness.policy.knowledge import Knowledge
from harness.policy.part import Surroundings

NAME = "twin-agrees"


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Judge the services in `services` (all of the plan's when empty) at each look that asked for twins."""
    tags = sorted(set(parameters.get("services") or timeline.plan.services))
    findings: list[Finding] = []
    for end in ends_of(timeline):
        if not end.planned.twins:
            continue
        if end.seen is None:
            findings.append(unseen_end(NAME, end))
            continue
        absent = absent_snaps(timeline, end.step.number)
        known = Knowledge.of(timeline)
        findings += (_judge_tag(end.seen, tag, known) for tag in tags if tag.split(".")[1] not in absent)
    return tuple(findings) or (_unasked(),)


def _unasked() -> Finding:
    summary = "no look of the plan asks for twins: core was changed in every boot before one"
    return Finding(NAME, Outcome.UNPROVEN, "unseen", "run", 0, summary)


def _judge_tag(seen: SeenLook, tag: str, known: Knowledge) -> Finding:
    service = next((each for each in seen.look.services if each.tag == tag), None)
    twin = next((each for each in seen.look.twins if each.tag == tag), None)
    main = _main(service)
    if service is None or main is None or main.problem:
        return _finding(seen, Outcome.UNPROVEN, "unseen", tag, f"{tag} has no process to compare a twin with")
    if twin is None or twin.process is None or twin.process.problem:
        return _finding(seen, Outcome.UNPROVEN, "unseen", tag, f"{tag} has no twin: {_problem(twin)}")
    if seen.look.unsettled:
        summary = f"{tag} cannot be compared with its twin: the guest had not settled"
        return _finding(seen, Outcome.UNPROVEN, "unsettled", tag, summary)
    differences = "; ".join(_differences(main, twin.process))
    if differences and _outlived(seen, service, known) and _is_fresh(seen, twin.process, tag, known):
        summary = f"{tag} outlived a change of snapd, and a start now gets the policy of the one that runs"
        return _finding(seen, Outcome.HELD, "outlived", tag, summary)
    if differences:
        summary = f"{tag} runs under other policy than a start now gets: {differences}"
        return _finding(seen, Outcome.VIOLATED, "differs", tag, summary)
    summary = f"{tag} and its twin have the same policy: {main.label}, seccomp {_filters(main)}"
    return _finding(seen, Outcome.HELD, "equal", tag, summary)


def _outlived(seen: SeenLook, service: ServiceSeen, known: Knowledge) -> bool:
    """Another snapd than was to be expected of the steps took over in this boot, after the service began."""
    snapd = seen.look.snapd
    if snapd is None or seen.taken.expects_core:
        return False
    read = confinement.read(seen, service, snapd, known)
    return any(one.process.main and one.kind == Class.MIXED and one.earlier for one in read)


def _is_fresh(seen: SeenLook, twin: ProcessSeen, tag: str, known: Knowledge) -> bool:
    """The twin's policy is made by the snapd that runs."""
    around, build = Surroundings.of(seen), seen.look.snapd.build_id if seen.look.snapd else ""
    parts = confinement.parts_of(around, twin, tag, build, known)
    return confinement.class_of(around, twin, tag, parts) == Class.FRESH


def _main(service: ServiceSeen | None) -> ProcessSeen | None:
    processes = service.processes if service else ()
    return next((process for process in processes if process.main), None)


def _problem(twin: TwinSeen | None) -> str:
    if twin is None:
        return "the look has none"
    return twin.problem or (twin.process.problem if twin.process else "it had gone before it was read")


def _differences(service: ProcessSeen, twin: ProcessSeen) -> Iterator[str]:
    if _label(service) != _label(twin):
        yield f"AppArmor is {_label(service)}, its twin's {_label(twin)}"
    if (service.seccomp_mode, _programs(service)) != (twin.seccomp_mode, _programs(twin)):
        yield f"seccomp is {_filters(service)}, its twin's {_filters(twin)}"


def _label(process: ProcessSeen) -> str:
    return f"{process.label} ({process.label_mode})" if process.label_mode else process.label


def _programs(process: ProcessSeen) -> tuple[tuple[str, int], ...]:
    """Every filter in the order that it was loaded."""
    ordered = sorted(process.filters, key=lambda one: one.index)
    return tuple((one.sha256, one.length) for one in ordered)


def _filters(process: ProcessSeen) -> str:
    programs = " ".join(f"{short(sha256)} ({length})" for sha256, length in _programs(process))
    return programs or f"none (mode {process.seccomp_mode})"


def _finding(seen: SeenLook, outcome: Outcome, kind: str, tag: str, summary: str) -> Finding:
    return Finding(NAME, outcome, kind, tag, seen.taken.boot, summary, evidence=(witness(seen, summary),))
