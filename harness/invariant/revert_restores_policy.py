# SPDX-License-Identifier: GPL-3.0-only
"""After a revert of core and a reboot, each service's policy is again what it was before the refresh.

Compared are contents: the files that the older snapd makes, and what the kernel holds for the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.invariant.ends import End, ends_of, witness
from harness.model.change import change_of
from harness.model.observation import Look, PolicyKind, ServiceSeen
from harness.model.plan import (
    Action,
    Boot,
    ConnectPlug,
    DisconnectPlug,
    InstallSnap,
    RebootGuest,
    RemoveSnap,
    RevertSnap,
)
from harness.model.timeline import SeenLook, Timeline
from harness.model.verdict import Finding, Outcome
from harness.policy.apparmor import digest_of
from harness.policy.builds import short
from harness.policy.kind import COMPILED_SECCOMP, base_name
from harness.policy.knowledge import Knowledge

NAME = "revert-restores-policy"

_CORE = "core"
_SOURCES = (PolicyKind.SECCOMP_SOURCE, PolicyKind.APPARMOR_SOURCE)


@dataclass(frozen=True, slots=True)
class _Revert:
    """A revert of core: its step, the end of the next boot, and the last end before with the same core.

    `reconnected` says that steps between the two may have changed policy by themselves.
    """

    step: str
    after: End
    before: End | None
    reconnected: bool


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:  # noqa: ARG001
    """Judge every service of the plan after each revert of core that a reboot follows."""
    known = Knowledge.of(timeline)
    reverts = tuple(_reverts(timeline))
    found = [finding for revert in reverts for finding in _judge_revert(timeline, revert, known)]
    return tuple(found) or (_nothing(),)


def _nothing() -> Finding:
    summary = "the steps hold no revert of core that a reboot follows"
    return Finding(NAME, Outcome.UNPROVEN, "nothing-to-judge", _CORE, 0, summary)


def _reverts(timeline: Timeline) -> Iterator[_Revert]:
    ends = {end.step.number: end for end in ends_of(timeline)}
    steps = timeline.plan.steps
    for place, step in enumerate(steps):
        after = _next_boots_end(timeline, place, ends) if _reverts_core(step.action) else None
        if after is None:
            continue
        last = steps.index(after.step)
        before = [(n, ends[s.number]) for n, s in enumerate(steps[:place]) if s.number in ends]
        same = [(n, end) for n, end in before if end.planned.expects_core == after.planned.expects_core]
        first = same[-1][0] if same else place
        between = (other.action for other in steps[first:last])
        yield _Revert(step.number, after, same[-1][1] if same else None, any(map(_reconnects, between)))


def _next_boots_end(timeline: Timeline, place: int, ends: Mapping[str, End]) -> End | None:
    rebooted = False
    for step in timeline.plan.steps[place:]:
        rebooted = rebooted or isinstance(step.action, Boot | RebootGuest)
        if rebooted and step.number in ends:
            return ends[step.number]
    return None


def _reverts_core(action: Action) -> bool:
    change = change_of(action)
    return isinstance(change, RevertSnap) and change.snap == _CORE


def _reconnects(action: Action) -> bool:
    match change_of(action):
        case ConnectPlug() | DisconnectPlug():
            return True
        case InstallSnap(ref):
            return ref.snap != _CORE
        case RemoveSnap(snap) | RevertSnap(snap):
            return snap != _CORE
        case _:
            return False


def _judge_revert(timeline: Timeline, revert: _Revert, known: Knowledge) -> Iterator[Finding]:
    after, before = revert.after, revert.before
    if after.seen is None or before is None or before.seen is None:
        missing = f"boot {after.boot}'s end" if after.seen is None else "the policy before the refresh"
        summary = f"{missing} was not looked at, so that the revert of step {revert.step} cannot be judged"
        yield Finding(NAME, Outcome.UNPROVEN, "unseen", f"step {revert.step}", after.boot, summary)
        return
    pair = (before.seen, after.seen)
    if revert.reconnected:
        summary = f"what was installed or connected between changed since the look of boot {before.boot}"
        yield _finding(pair, "steps", Outcome.UNPROVEN, "reconnected", summary)
        return
    for problem in (*before.seen.look.problems, *after.seen.look.problems):
        yield _finding(pair, "look", Outcome.UNPROVEN, "unseen", f"a look is not whole: {problem}")
    for tag in timeline.plan.services:
        yield _judge_tag(pair, tag, known)


def _judge_tag(pair: tuple[SeenLook, SeenLook], tag: str, known: Knowledge) -> Finding:
    before = pair[0]
    build = before.look.snapd.build_id if before.look.snapd else ""
    kinds = {kind for kind in COMPILED_SECCOMP if known.authors.expected(build, kind, tag)}
    was, now = (_policy(seen.look, tag, (*_SOURCES, *kinds)) for seen in pair)
    unread = sorted(what for what in _NEEDED if what not in was or what not in now)
    changed = sorted(what for what in was if what in now and was[what] != now[what])
    gone = sorted(what for what in was if what not in now and what not in unread)
    name = known.builds.name(build)
    if changed or gone:
        says = "; ".join(
            (*(f"{w} was {_short(was[w])}, is {_short(now[w])}" for w in changed), *map(_gone, gone))
        )
        summary = f"{tag} differs from before the refresh (boot {before.taken.boot}, snapd {name}): {says}"
        return _finding(pair, tag, Outcome.VIOLATED, "changed", summary)
    if unread or not kinds or not build:
        lacks = ", ".join(unread) or f"what snapd {name} makes"
        return _finding(pair, tag, Outcome.UNPROVEN, "unseen", f"{tag}: {lacks} was not seen in both looks")
    summary = f"{tag} has the policy of before the refresh (boot {before.taken.boot}, snapd {name}): "
    return _finding(pair, tag, Outcome.HELD, "restored", summary + ", ".join(sorted(was)))


_FILTERS = "the set of filters in the kernel"
_PROFILE = "the profile in the kernel"
_NEEDED = (_FILTERS, _PROFILE)


def _policy(look: Look, tag: str, kinds: Iterable[PolicyKind]) -> Mapping[str, tuple[str, ...]]:
    """What there is of a service's policy, and its digests."""
    wanted = frozenset(kinds)
    found: dict[str, tuple[str, ...]] = {}
    for file in look.files:
        if file.name == tag and file.kind in wanted:
            is_profile = file.kind == PolicyKind.APPARMOR_SOURCE
            found[f"profile {file.name}" if is_profile else base_name(file)] = (file.sha256,)
    filters = next((_filters(service) for service in look.services if service.tag == tag), ())
    profiles = tuple(digest_of(profile) for profile in look.profiles if profile.name == tag)
    if filters:
        found[_FILTERS] = filters
    if len(profiles) == 1 and profiles[0]:
        found[_PROFILE] = profiles
    return found


def _filters(service: ServiceSeen) -> tuple[str, ...]:
    main = next((process for process in service.processes if process.main), None)
    return tuple(sorted(one.sha256 for one in main.filters)) if main else ()


def _short(digests: tuple[str, ...]) -> str:
    return " ".join(map(short, digests))


def _gone(what: str) -> str:
    return f"{what} is gone"


def _finding(
    pair: tuple[SeenLook, SeenLook], subject: str, outcome: Outcome, kind: str, summary: str
) -> Finding:
    before, after = pair
    evidence = (
        witness(before, "the policy before the refresh"),
        witness(after, "the policy after the revert"),
    )
    return Finding(NAME, outcome, kind, subject, after.taken.boot, summary, evidence=evidence)
