# SPDX-License-Identifier: GPL-3.0-only
"""What the fingerprints in a record tell of the kernel's policy.

A fingerprint counts only when it is of the run's own bytes: of one of its core files, on its image. A
digest that is in the fingerprints of two builds names neither: both make that content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.model.event import FingerprintUsed
from harness.model.fingerprint import Fingerprint
from harness.model.timeline import Timeline
from harness.model.verdict import Evidence
from harness.policy.authorship import EVENTS, Claim, KnownBy, References
from harness.policy.builds import Builds, short

_Found = tuple[int, Fingerprint]


def references_of(timeline: Timeline, builds: Builds) -> References:
    """The claims of every fingerprint of the run's builds."""
    found = tuple(_of_the_run(timeline))
    return References(
        _unshared(found, lambda one: one.seccomp, "seccomp filter", builds),
        _unshared(found, lambda one: one.apparmor, "AppArmor profile", builds),
    )


def _of_the_run(timeline: Timeline) -> Iterator[_Found]:
    images = {one.sha256 for one in timeline.artifacts if one.role == "image"}
    cores = {(one.sha256, one.build_ids.get("snapd")) for one in timeline.artifacts if one.role == "snap"}
    for recorded in timeline.events:
        match recorded.event:
            case FingerprintUsed(fingerprint=one):
                if one.image in images and (one.core_sha256, one.build) in cores:
                    yield recorded.line, one
            case _:
                pass


def _unshared(
    found: Sequence[_Found],
    part: Callable[[Fingerprint], Mapping[str, tuple[str, ...]]],
    what: str,
    builds: Builds,
) -> Mapping[tuple[str, str], frozenset[Claim]]:
    makers: dict[tuple[str, str], dict[str, Claim]] = {}
    for line, one in found:
        for tag, digests in part(one).items():
            for digest in digests:
                name = builds.name(one.build)
                says = f"{tag}: {what} {short(digest)} is in the fingerprint of snapd {name}, taken alone"
                claim = Claim(one.build, KnownBy.REFERENCE, Evidence(EVENTS, line, says))
                makers.setdefault((tag, digest), {}).setdefault(one.build, claim)
    return {key: frozenset(claims.values()) for key, claims in makers.items() if len(claims) == 1}
