# SPDX-License-Identifier: GPL-3.0-only
"""One start's mounts, read against the mount profile that the running snapd makes for its snap.

A snap's mount namespace is kept for all its services (/run/snapd/ns/NAME.mnt) until it is discarded or the
guest reboots, so a start may meet one that was made by an earlier snapd's profile. snap-update-ns goes on
when it cannot make a mount, unless it is a layout's, and the current profile then lacks it.

Device control is not judged: whether a service gets a device control group, or a map in its place, depends
on the devices that udev has tagged for it by then, and from 2.62 on also on what `cgroup/snap.NAME.device`
says. A record has neither, so that none may be right. Which one there was is told in the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from harness.model.observation import PolicyKind
from harness.model.occurrence import MountProfile, Namespace, Started
from harness.model.verdict import Evidence
from harness.policy.authorship import WITNESS
from harness.policy.builds import short
from harness.policy.kind import NO_MOUNTS, snap_of
from harness.policy.knowledge import Knowledge
from harness.policy.part import authors_of, proof_of, ways_of
from harness.policy.start_class import Judged
from harness.policy.writers import Written


class MountClass(StrEnum):
    """How a start's mounts stand to the running snapd's mount profile."""

    AS_DESIRED = "as-desired"  # it has all that the running build's profile lists, and nothing else
    STALE = "stale"  # another build's profile, or mounts of an earlier one
    FOREIGN = "foreign"  # a profile that no snapd wrote
    ABSENT = "absent"  # it lacks mounts that its profile lists, or a namespace
    UNSEEN = "unseen"  # the evidence does not say


@dataclass(frozen=True, slots=True)
class MountsRead:
    """A start's class, a clause for people that says why, and the builds that made its profile."""

    kind: MountClass
    says: str
    authors: tuple[str, ...] = ()
    known_by: tuple[str, ...] = ()
    proof: tuple[Evidence, ...] = ()


def read_mounts(boot: int, judged: Judged, known: Knowledge) -> MountsRead:
    """Read the mounts of one attempt to start a service."""
    start, daemon = judged.attempt.start, judged.daemon
    if start is None:
        return _unseen(judged.why or "its start was not read")
    profile = start.of.mount_profile
    if profile is None:
        return _unseen("its mounts were not read")
    if profile.namespace == Namespace.SYSTEM:
        return _in_the_systems(start.of, profile, known)
    if profile.problem:
        return _unseen(profile.problem)
    if daemon is None or not daemon.build:
        return _unseen("which snapd runs was not seen")
    return _against(boot, start.of, profile, daemon.build, known)


def _unseen(says: str) -> MountsRead:
    return MountsRead(MountClass.UNSEEN, says)


def _in_the_systems(start: Started, profile: MountProfile, known: Knowledge) -> MountsRead:
    """Right for a snap with classic confinement, of which no service is ever in a namespace of its own."""
    says = "it is in the system's own mount namespace"
    snap = snap_of(start.tag)
    others = (
        one.of.mount_profile
        for happened in known.happened.values()
        for tag, starts in happened.starts.items()
        if snap_of(tag) == snap
        for one in starts
    )
    is_strict = any(other and other.namespace == Namespace.OWN for other in others)
    if is_strict or profile.pending or profile.missing:
        return MountsRead(MountClass.ABSENT, says)
    return _unseen(f"{says}, and whether its snap should have another is not known")


def _against(boot: int, start: Started, profile: MountProfile, build: str, known: Knowledge) -> MountsRead:
    name, content = snap_of(start.tag), profile.desired or NO_MOUNTS
    claims = known.authors.of_digest(PolicyKind.MOUNT, name, content)
    authors, runs, what = authors_of(claims), known.builds.name(build), _what(name, profile)
    lacks = _lacks(profile)
    read = MountsRead(
        MountClass.ABSENT if lacks else MountClass.UNSEEN,
        lacks,
        authors,
        ways_of(claims, authors),
        proof_of(claims, authors),
    )
    if build in authors:
        mine = (build,)
        mine_read = replace(read, authors=mine, known_by=ways_of(claims, mine), proof=proof_of(claims, mine))
        return mine_read if lacks else _complete(mine_read, profile, what)
    too = f"; {lacks}" if lacks else ""
    if known.authors.expected(build, PolicyKind.MOUNT, name):
        if authors:
            names = " or ".join(map(known.builds.name, authors))
            return replace(read, kind=MountClass.STALE, says=f"{what} is of {names}{too}")
        hand = _hand(boot, start, content, known)
        if hand:
            says = f"{what} was written by process {hand.change.pid}, which is no snapd"
            proof = (Evidence(WITNESS, hand.line, says),)
            return MountsRead(MountClass.FOREIGN, f"{says}{too}", proof=proof)
        return replace(read, says=f"{what} is of no known author{too}")
    return replace(read, says=f"what snapd {runs} makes of {name}.fstab was never seen{too}")


def _complete(read: MountsRead, profile: MountProfile, what: str) -> MountsRead:
    """Of a start under the running build's profile that lacks nothing of it."""
    if profile.surplus:
        says = f"it still has what an earlier profile asked for: {', '.join(profile.surplus)}"
        return replace(read, kind=MountClass.STALE, says=says)
    if profile.namespace == Namespace.UNREAD:
        return replace(read, says="which mount namespace it is in was not read")
    if profile.desired not in ("", NO_MOUNTS) and not profile.current:
        return replace(read, says="snap-update-ns has left no word of what it mounted")
    return replace(read, kind=MountClass.AS_DESIRED, says=what)


def _what(name: str, profile: MountProfile) -> str:
    return f"{name}.fstab {short(profile.desired)}" if profile.desired else f"no {name}.fstab"


def _lacks(profile: MountProfile) -> str:
    if profile.missing:
        return f"it lacks what was mounted for its snap: {', '.join(profile.missing)}"
    if profile.pending:
        return f"it lacks what its profile asks for: {', '.join(profile.pending)}"
    return ""


def _hand(boot: int, start: Started, content: str, known: Knowledge) -> Written | None:
    """Who wrote the profile last before the start, if that was seen, was this content, and was no snapd."""
    path = f"/var/lib/snapd/mount/{snap_of(start.tag)}.fstab"
    moment = (boot, start.at)
    before = [
        one for one in known.writers.all if one.change.path == path and (one.boot, one.change.at) <= moment
    ]
    last = before[-1] if before else None
    if last is None or last.change.sha256 != content or last.daemon:
        return None
    snapds = {daemon.pid for daemon in known.daemons[last.boot].all}
    return None if last.change.pid in snapds else last
