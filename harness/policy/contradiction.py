# SPDX-License-Identifier: GPL-3.0-only
"""Where two sources tell different things of one file at one time, or one tells what the other missed.

That two builds make the same content is no contradiction. That one build's tool is seen to write what names
another's is, or that the kernel holds what one build's fingerprint alone has and others wrote: then one of
the sources is wrong, and nothing that rests on either is proven.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from harness.model.clock import SECOND
from harness.model.observation import PolicyFile, PolicyKind
from harness.model.occurrence import Source
from harness.model.timeline import SeenLook
from harness.model.verdict import Evidence
from harness.policy import apparmor, seccomp
from harness.policy.authorship import NO_REFERENCES, WITNESS, Claim
from harness.policy.builds import Builds, short
from harness.policy.kind import COMPILED_SECCOMP, base_name, file_of
from harness.policy.knowledge import Knowledge
from harness.policy.life import Life, lives
from harness.policy.part import authors_of, proof_of
from harness.policy.writers import Writers, Written

AUTHORS_DISAGREE = "authors-disagree"
UNWITNESSED = "unwitnessed"
FINGERPRINT_DISAGREES = "fingerprint-disagrees"

_WATCHED = (*COMPILED_SECCOMP, PolicyKind.SECCOMP_SOURCE, PolicyKind.APPARMOR_SOURCE, PolicyKind.MOUNT)
_GRAIN = SECOND  # between the guest's clocks, which a look reads one after the other


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What does not fit, about which policy, in which boot; 0 is the whole run."""

    kind: str
    name: str
    boot: int
    says: str
    evidence: tuple[Evidence, ...]


def contradictions(known: Knowledge) -> tuple[Contradiction, ...]:
    """Every contradiction of a run, each once."""
    looks = tuple(seen for boot in sorted(known.looks) for seen in known.looks[boot])
    found = (
        *_of_names(known.writers, known.builds),
        *_of_lives(lives(looks, known.builds), known.writers, known.builds),
        *_of_changes(looks, known),
        *_of_references(known),
    )
    return tuple({(one.kind, one.boot, one.says): one for one in found}.values())


def _of_names(writers: Writers, builds: Builds) -> Iterator[Contradiction]:
    """What a file or a tool is named by, against the snapd whose process wrote."""
    for one in writers.all:
        build = one.daemon.build if one.daemon else ""
        file = file_of(one.change) if build else None
        if file is None:
            continue
        compiler = _compiler_named(one, file)
        mine = builds.compilers.get(build, frozenset())
        if compiler and mine and compiler not in mine and builds.made_by(compiler):
            names = " or ".join(sorted(map(builds.name, builds.made_by(compiler))))
            says = (
                f"{base_name(file)} {short(file.sha256)} was written by snapd {builds.name(build)}, "
                f"and by the snap-seccomp of {names}"
            )
            yield _disagree(file, one.boot, says, one.line)


def _compiler_named(one: Written, file: PolicyFile) -> str:
    return one.tool if file.kind in COMPILED_SECCOMP else file.made_by


def _disagree(file: PolicyFile, boot: int, says: str, *lines: int) -> Contradiction:
    evidence = tuple(Evidence(WITNESS, line, says) for line in lines)
    return Contradiction(AUTHORS_DISAGREE, file.name, boot, says, evidence)


def _of_lives(known: Iterable[Life], writers: Writers, builds: Builds) -> Iterator[Contradiction]:
    """A file that changed in the life of one snapd, and was seen to be written by another in that time."""
    for life in known:
        boot, snapd = life.seen.taken.boot, life.seen.look.snapd
        for file in life.seen.look.files:
            hands = writers.hands.get((boot, file.path, file.sha256), ())
            if snapd is None or not hands or not life.wrote(file) or file.kind == PolicyKind.APPARMOR_CACHE:
                continue
            others = [
                one for one in hands if one.daemon and one.daemon.build and one.change.at >= snapd.started
            ]
            wrong = [one for one in others if one.daemon and one.daemon.build != life.build]
            if wrong and len(wrong) == len(others):
                names = builds.name(wrong[0].daemon.build if wrong[0].daemon else "")
                says = (
                    f"{base_name(file)} {short(file.sha256)} changed while snapd {builds.name(life.build)} "
                    f"ran, and was written by snapd {names}"
                )
                yield _disagree(file, boot, says, life.seen.line, wrong[0].line)


def _of_changes(looks: Iterable[SeenLook], known: Knowledge) -> Iterator[Contradiction]:
    """Policy that changed while files were watched, with nobody seen to write it."""
    before: dict[str, str] = {}
    for seen in looks:
        for file in seen.look.files:
            if file.kind in _WATCHED and _changed_unseen(seen, file, known, before):
                says = f"{base_name(file)} {short(file.sha256)} changed, and nobody was seen to write it"
                evidence = (Evidence(WITNESS, seen.line, says),)
                yield Contradiction(UNWITNESSED, file.name, seen.taken.boot, says, evidence)
        before.update({file.path: file.sha256 for file in seen.look.files})


def _changed_unseen(seen: SeenLook, file: PolicyFile, known: Knowledge, before: Mapping[str, str]) -> bool:
    boot = seen.taken.boot
    watching = known.happened[boot].watching.get(Source.FILES)
    changed = file.changed - seen.look.boot_wall
    if watching is None or not watching.of.since + _GRAIN < changed <= seen.look.at:
        return False
    hands = (known.writers.hands.get((boot, file.path, content), ()) for content in (file.sha256, ""))
    told = any(one.change.at >= changed - _GRAIN for those in hands for one in those)
    return not told and before.get(file.path) != file.sha256


def _of_references(known: Knowledge) -> Iterator[Contradiction]:
    """What one build's fingerprint alone has, and every other source says that others make."""
    references = known.authors.references
    learnt = replace(known.authors, references=NO_REFERENCES)
    for (tag, digest), claims in references.programs.items():
        others = seccomp.claims_on(learnt, tag, digest)
        yield from _of_reference(seccomp.WHAT, tag, digest, claims, others, known.builds)
    for (tag, digest), claims in references.profiles.items():
        others = learnt.of_digest(PolicyKind.APPARMOR_CACHE, tag, digest)
        others |= learnt.loaded.get((tag, digest), frozenset())
        yield from _of_reference(apparmor.WHAT, tag, digest, claims, others, known.builds)


def _of_reference(
    what: str,
    tag: str,
    digest: str,
    claims: frozenset[Claim],
    others: frozenset[Claim],
    builds: Builds,
) -> Iterator[Contradiction]:
    named, makers = authors_of(claims), authors_of(others)
    if not makers or set(named) & set(makers):
        return
    of, by = (" or ".join(sorted(map(builds.name, those))) for those in (named, makers))
    says = (
        f"{tag}: {what} {short(digest)} is in the fingerprint of {of}, and the rest says that {by} makes it"
    )
    evidence = (*proof_of(claims, named), *proof_of(others, makers))
    yield Contradiction(FINGERPRINT_DISAGREES, tag, 0, says, evidence)
