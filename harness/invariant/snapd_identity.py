# SPDX-License-Identifier: GPL-3.0-only
"""At each boot's end, the snapd that runs is the one that the sequence of steps implies."""

from __future__ import annotations

from collections.abc import Mapping

from harness.invariant.ends import End, ends_of, unseen_end, witness
from harness.model.observation import Look, SnapdSeen
from harness.model.timeline import SeenLook, Timeline
from harness.model.verdict import Finding, Outcome
from harness.policy.builds import Builds, short

NAME = "snapd-is-who-it-should-be"

_STANDBY = 42  # snapd ends with this to be started by its socket when no snap is installed (snapd 2.37)


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:  # noqa: ARG001
    """Judge each planned boot end."""
    builds = Builds.of(timeline)
    return tuple(_judge_end(timeline, end, builds) for end in ends_of(timeline))


def _judge_end(timeline: Timeline, end: End, builds: Builds) -> Finding:
    if end.seen is None:
        return unseen_end(NAME, end)
    snapd = end.seen.look.snapd
    if snapd is None:
        return _no_snapd(end.seen)
    return _compare(end.seen, snapd, timeline.snapd_build_of(end.seen.taken.expects_core), builds)


def _compare(seen: SeenLook, snapd: SnapdSeen, expected: str, builds: Builds) -> Finding:
    core = seen.taken.expects_core
    runs = f"snapd runs from {snapd.exe} (build id {short(snapd.build_id) or 'unknown'})"
    if snapd.build_id and snapd.build_id == expected:
        return _finding(seen, Outcome.HELD, "expected", f"{runs}: {core}, as the steps imply", core)
    if not snapd.build_id:
        return _finding(seen, Outcome.UNPROVEN, "unseen", f"{runs}; {core} was expected")
    found = builds.core(snapd.build_id)
    if not expected and (not found or found == core):
        summary = f"{runs}; the steps imply {core or 'no known core'}, whose build id is not recorded"
        return _finding(seen, Outcome.UNPROVEN, "unseen", summary, found)
    kind = "other" if found else "unknown"
    summary = f"{runs}: {found or 'a build of no core of this run'}; the steps imply {core}"
    return _finding(seen, Outcome.VIOLATED, kind, summary, found)


def _no_snapd(seen: SeenLook) -> Finding:
    outcome, kind, why = _absence(seen.look)
    core = seen.taken.expects_core
    return _finding(seen, outcome, kind, f"no snapd runs, the steps imply {core}: {why}")


def _absence(look: Look) -> tuple[Outcome, str, str]:
    unit = look.snapd_unit
    state = f"snapd.service is {unit.active_state} ({unit.sub_state}), result {unit.result or 'none'}"
    if look.problems:
        return Outcome.UNPROVEN, "unseen", f"the look is not whole: {look.problems[0]}"
    if unit.active_state == "failed":
        return Outcome.VIOLATED, "absent", state
    if unit.active_state != "inactive" or look.unsettled:
        return Outcome.UNPROVEN, "unseen", state
    if unit.exit_status == _STANDBY and not look.services:
        return Outcome.UNPROVEN, "standby", f"{state}; it waits for its socket, as no snap is installed"
    return Outcome.VIOLATED, "absent", state


def _finding(seen: SeenLook, outcome: Outcome, kind: str, summary: str, author: str = "") -> Finding:
    evidence = (witness(seen, summary),)
    return Finding(NAME, outcome, kind, "snapd", seen.taken.boot, summary, author, evidence)
