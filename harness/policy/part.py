# SPDX-License-Identifier: GPL-3.0-only
"""One part of a process's confinement, its seccomp or its AppArmor, read against the running snapd."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.model.observation import LoadedProfile, PolicyFile
from harness.model.timeline import SeenLook
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
class Surroundings:
    """What a process is read against: the policy on disk and the profiles in the kernel at that moment.

    `line` of witness.jsonl tells of it; `problems` say what of it is not known.
    """

    line: int
    files: tuple[PolicyFile, ...]
    profiles: tuple[LoadedProfile, ...]
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, seen: SeenLook) -> Surroundings:
        """Those of a look."""
        return cls(seen.line, seen.look.files, seen.look.profiles, seen.look.problems)


@dataclass(frozen=True, slots=True)
class Part:
    """What was read: the authors' build ids (sorted), the digests in the kernel, and the proof.

    `says` is a clause for people that starts with the part's name. `known_by` names every way in which
    the authors are known.
    """

    what: str
    state: State
    says: str
    authors: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    proof: tuple[Evidence, ...] = ()
    known_by: tuple[str, ...] = ()


def authors_of(claims: Iterable[Claim]) -> tuple[str, ...]:
    """The builds that claims name, sorted."""
    return tuple(sorted({claim.build for claim in claims}))


def proof_of(claims: Iterable[Claim], builds: Iterable[str]) -> tuple[Evidence, ...]:
    """For each of these builds the earliest evidence of every way in which it is known."""
    found = sorted(claims, key=lambda claim: (claim.evidence.line, claim.known_by, claim.evidence.says))
    first = {(claim.build, claim.known_by): claim.evidence for claim in reversed(found)}
    return tuple(first[key] for key in sorted(first) if key[0] in set(builds))


def ways_of(claims: Iterable[Claim], builds: Iterable[str]) -> tuple[str, ...]:
    """The ways in which these builds are known, sorted."""
    wanted = set(builds)
    return tuple(sorted({str(claim.known_by) for claim in claims if claim.build in wanted}))
