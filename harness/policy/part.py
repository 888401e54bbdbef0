# SPDX-License-Identifier: GPL-3.0-only
"""One part of a process's confinement, its seccomp or its AppArmor, read against the running snapd."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.model.verdict import Evidence
from harness.policy.authorship import Claim


class State(StrEnum):
    """How a part stands to the policy of the snapd that runs."""

    FRESH = "fresh"  # this build generates it
    STALE = "stale"  # another build generates it, and this one something else
    ABSENT = "absent"  # there is policy for it, but the process runs without
    MISSING = "missing"  # there is no policy for it at all
    UNSEEN = "unseen"  # the looks do not say


@dataclass(frozen=True, slots=True)
class Part:
    """What was read: the authors' build ids (sorted), the digests in the kernel, and the proof.

    `says` is a clause for people that starts with the part's name.
    """

    what: str
    state: State
    says: str
    authors: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    proof: tuple[Evidence, ...] = ()


def authors_of(claims: Iterable[Claim]) -> tuple[str, ...]:
    """The builds that claims name, sorted."""
    return tuple(sorted({claim.build for claim in claims}))


def proof_of(claims: Iterable[Claim], builds: Iterable[str]) -> tuple[Evidence, ...]:
    """The earliest evidence for each of these builds."""
    found = sorted(claims, key=lambda claim: (claim.evidence.line, claim.known_by, claim.evidence.says))
    first = {claim.build: claim.evidence for claim in reversed(found)}
    return tuple(first[build] for build in sorted(set(builds)) if build in first)
