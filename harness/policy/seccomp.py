# SPDX-License-Identifier: GPL-3.0-only
"""A process's seccomp filters read against what builds of snapd generate.

snap-confine of 2.37.3 to 2.62 loads ``TAG.bin`` and ``global.bin``, from 2.63 on the two programs of
``TAG.bin2``. Both kinds of file can lie side by side, so a filter is looked for in every one of them.
"""

from __future__ import annotations

from harness.model.observation import FilterSeen, PolicyFile, ProcessSeen
from harness.model.verdict import Evidence
from harness.policy.authorship import WITNESS, Authorship, Claim
from harness.policy.builds import Builds, short
from harness.policy.kind import COMPILED_SECCOMP, GLOBAL, base_name, programs
from harness.policy.part import Part, State, Surroundings, authors_of, proof_of, ways_of

WHAT = "seccomp"


def read(
    around: Surroundings, process: ProcessSeen, tag: str, build: str, known: Authorship, builds: Builds
) -> Part:
    """Judge the filters of one process of the service `tag` while the snapd of `build` runs."""
    if not process.filters:
        return _without_filters(around, process, tag)
    claims = [(one, claims_on(known, tag, one.sha256)) for one in process.filters]
    foreign = [(one, who) for one, who in claims if who and build not in authors_of(who)]
    unknown = [one for one, who in claims if not who]
    digests = tuple(one.sha256 for one in process.filters)
    if foreign:
        return _foreign(around, foreign, digests, tag, build, known, builds)
    if unknown:
        says = f"seccomp filter {short(unknown[0].sha256)} is of no known author"
        return Part(WHAT, State.UNSEEN, says, (), digests, (_in_kernel(around, process, tag),))
    return _all_own(around, process, tag, build, known, builds)


def claims_on(known: Authorship, tag: str, digest: str) -> frozenset[Claim]:
    """Every claim on a program that the kernel holds for a service; empty when nobody is known."""
    places = ((kind, name) for kind in COMPILED_SECCOMP for name in (tag, GLOBAL))
    of_files = (known.of_digest(kind, name, digest) for kind, name in places)
    return known.references.programs.get((tag, digest), frozenset()).union(*of_files)


def _foreign(
    around: Surroundings,
    foreign: list[tuple[FilterSeen, frozenset[Claim]]],
    digests: tuple[str, ...],
    tag: str,
    build: str,
    known: Authorship,
    builds: Builds,
) -> Part:
    claims = frozenset().union(*(who for _, who in foreign))
    authors = authors_of(claims)
    names = " or ".join(builds.name(author) for author in authors)
    first = foreign[0][0]
    which = f"seccomp filter {short(first.sha256)} ({first.length} instructions"
    place = _place(around, tag, first.sha256)
    which += f", {place})" if place else ")"
    proof = (_evidence(around, f"{tag}: {which} is in the kernel"), *proof_of(claims, authors))
    if not known.whole.get((build, tag)):
        says = f"{which} is of {names}, and what {builds.name(build)} makes for it was never seen"
        return Part(WHAT, State.UNSEEN, says, authors, digests, proof, ways_of(claims, authors))
    says = f"{which} is of {names}"
    return Part(WHAT, State.STALE, says, authors, digests, proof, ways_of(claims, authors))


def _all_own(
    around: Surroundings, process: ProcessSeen, tag: str, build: str, known: Authorship, builds: Builds
) -> Part:
    digests = tuple(one.sha256 for one in process.filters)
    loaded = frozenset(digests)
    sets = known.whole.get((build, tag), frozenset())
    proof = (_in_kernel(around, process, tag),)
    if not any(whole <= loaded for whole in sets):
        says = f"seccomp is not whole: not every program that {builds.name(build)} makes for it is loaded"
        return Part(WHAT, State.ABSENT if sets else State.UNSEEN, says, (), digests, proof)
    says = f"seccomp {' '.join(short(digest) for digest in digests)} is of {builds.name(build)}"
    claims = [known_claims for digest in digests if (known_claims := claims_on(known, tag, digest))]
    made = (one for of_one in claims for one in proof_of(of_one, [build]))
    ways = ways_of(frozenset().union(*claims), [build])
    return Part(WHAT, State.FRESH, says, (build,), digests, tuple(dict.fromkeys((*proof, *made))), ways)


def _without_filters(around: Surroundings, process: ProcessSeen, tag: str) -> Part:
    if process.problem or process.seccomp_mode != 0:
        return Part(WHAT, State.UNSEEN, f"seccomp could not be read: {process.problem or 'no filters'}")
    files = [f for f in around.files if f.kind in COMPILED_SECCOMP and f.name == tag]
    if any(programs(file) for file in files):
        names = ", ".join(base_name(file) for file in files if programs(file))
        proof = _evidence(around, f"{tag}: process {process.pid} has no seccomp filter; {names} is on disk")
        return Part(
            WHAT, State.ABSENT, f"no seccomp filter is loaded, although there is {names}", (), (), (proof,)
        )
    if files or around.problems:
        return Part(WHAT, State.UNSEEN, "no seccomp filter is loaded, and none can be read on disk")
    proof = _evidence(around, f"{tag}: process {process.pid} has no seccomp filter; no policy is on disk")
    return Part(WHAT, State.MISSING, "there is no seccomp policy at all", (), (), (proof,))


def _in_kernel(around: Surroundings, process: ProcessSeen, tag: str) -> Evidence:
    filters = ", ".join(f"{short(one.sha256)} ({one.length})" for one in process.filters)
    return _evidence(around, f"{tag}: process {process.pid} has seccomp filters {filters}")


def _place(around: Surroundings, tag: str, digest: str) -> str:
    """Which part of which file on disk, now, holds the program."""
    for file in around.files:
        part = _part_of(file, digest) if file.name in (tag, GLOBAL) else ""
        if part:
            return f"now in {base_name(file)}" if part == "whole" else f"{part} of {base_name(file)}"
    return ""


def _part_of(file: PolicyFile, digest: str) -> str:
    if file.kind not in COMPILED_SECCOMP:
        return ""
    return next((part for part, program in programs(file).items() if program == digest), "")


def _evidence(around: Surroundings, says: str) -> Evidence:
    return Evidence(WITNESS, around.line, says)
