# SPDX-License-Identifier: GPL-3.0-only
"""No snap service starts before the snapd that runs is READY, unless its system-key is in place already.

READY comes after snapd has gone over all policy, and `snap run` goes on at once only where the system-key
names the build that runs. A start that had neither was under good policy by luck, if it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.invariant.every_start import Group, grouped, judge_executed
from harness.model.clock import seconds
from harness.model.timeline import BootRecord, Timeline
from harness.model.verdict import Evidence, Finding, Outcome
from harness.policy.authorship import WITNESS
from harness.policy.knowledge import Knowledge
from harness.policy.start_class import Judged
from harness.policy.system_key import Guard

NAME = "services-after-policy"


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    """Judge every start of the services in `services` (all of the plan's when empty)."""
    tags = parameters.get("services") or timeline.plan.services
    known = Knowledge.of(timeline)

    def say(boot: BootRecord, tag: str, starts: Sequence[Judged]) -> Iterator[Finding]:
        return (_finding(boot, tag, group, known) for group in grouped(starts, _key))

    return judge_executed(NAME, timeline, tags, known, say)


def _key(one: Judged) -> tuple[object, ...]:
    return bool(one.attempt.start), one.early, one.guard, one.daemon.build if one.daemon else ""


def _class(one: Judged) -> tuple[Outcome, str]:
    if one.daemon is None or not one.daemon.build or not one.attempt.start:
        return Outcome.UNPROVEN, "unseen"
    if one.early is False:
        return Outcome.HELD, "after-ready"
    if one.guard == Guard.CONFIRMED:
        return Outcome.HELD, "guarded"
    if one.early and one.guard == Guard.NONE:
        return Outcome.VIOLATED, "early"
    return Outcome.UNPROVEN, "unseen"


def _finding(boot: BootRecord, tag: str, group: Group, known: Knowledge) -> Finding:
    first = group.first
    outcome, kind = _class(first)
    runs = known.builds.name(first.daemon.build) if first.daemon else "unknown"
    says = {
        "after-ready": f"after snapd {runs} was READY",
        "guarded": f"while the system-key of snapd {runs}, which runs, was in place",
        "early": f"before snapd {runs} was READY, and its system-key was not in place",
        "unseen": f"and whether snapd {runs} was READY, or its system-key in place, was not seen",
    }[kind]
    return Finding(
        invariant=NAME,
        outcome=outcome,
        kind=kind,
        subject=tag,
        boot=boot.number,
        summary=f"{tag} started {group.times} {says}; {_waited(group)}",
        author=known.builds.core(first.daemon.build) if first.daemon else "",
        evidence=tuple(dict.fromkeys(_evidence(group))),
    )


def _waited(group: Group) -> str:
    waited = [one.waited for one in group.all]
    if len(waited) == 1:
        return f"its launcher took {seconds(waited[0])}"
    return f"its launchers took {seconds(min(waited))} to {seconds(max(waited))}"


def _evidence(group: Group) -> Iterator[Evidence]:
    daemon = group.first.daemon
    if daemon:
        ready = f"was READY at {seconds(daemon.ready)}" if daemon.ready is not None else "was not seen READY"
        yield Evidence(WITNESS, daemon.line, f"snapd, process {daemon.pid}, {ready}")
    for one in group.shown:
        yield from one.proof
