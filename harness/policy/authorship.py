# SPDX-License-Identifier: GPL-3.0-only
"""Which build of snapd makes which policy, learnt from the looks of one run alone.

A claim says that a build generates, for a policy of that kind and name, exactly the content with that
digest. It is about content, not about time, so claims are gathered over the whole run: what a later boot
shows a build to generate, it would have generated before as well. More looks only ever add claims.

The kernel's copy of an AppArmor profile has the digest of its compile cache file (guest kernels 6.8 and
later: `raw_sha256`). A cache file is written by whichever apparmor_parser came first, snapd's own or the
boot-time loader's (snapd.apparmor.service), so its change time says nothing about the author: it has the
authors of the source that it was compiled from. That is the source beside it in the same look, when the
cache was neither changed nor modified before it (apparmor_parser gives the cache the modification time of
the newest file that went into it).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.model.clock import GuestTime
from harness.model.observation import LoadedProfile, PolicyFile, PolicyKind
from harness.model.timeline import SeenLook, Timeline
from harness.model.verdict import Evidence
from harness.policy.builds import Builds, short
from harness.policy.daemons import Daemon
from harness.policy.kind import (
    COMPILED_SECCOMP,
    GLOBAL,
    GLOBAL_PROGRAM,
    NO_MOUNTS,
    base_name,
    digests,
    file_of,
    programs,
    snap_of,
    whole_sets,
)
from harness.policy.life import Life, lives
from harness.policy.profile_digests import kernel_digests, other_digests
from harness.policy.writers import NOBODY, Writers, Written

WITNESS = "witness.jsonl"
EVENTS = "events.jsonl"

# File systems and parsers keep modification times to the microsecond at worst.
_TIME_GRAIN = 1_000


class KnownBy(StrEnum):
    """How a claim is known."""

    WRITTEN = "written"  # the file changed while that snapd ran
    VOUCHED = "vouched"  # that snapd regenerated everything and left the file as it was
    NAMED = "named"  # the source's first line names that snapd's snap-seccomp
    COMPILED = "compiled"  # the cache file comes from a source of that snapd's
    CONSTANT = "constant"  # the program is built into every snapd that writes such files
    LOADED = "loaded"  # the kernel gave the same profile both digests
    WITNESSED = "witnessed"  # that snapd, or its snap-seccomp, was seen to write it
    REFERENCE = "reference"  # the kernel held the same in control boots of that snapd alone


@dataclass(frozen=True, slots=True)
class Claim:
    """A build of snapd generates this; `evidence` is the first place that shows it."""

    build: str
    known_by: KnownBy
    evidence: Evidence


Item = tuple[PolicyKind, str, str]
_Book = dict[Item, dict[tuple[str, KnownBy], Claim]]


@dataclass(frozen=True, slots=True)
class References:
    """What fingerprints tell of seccomp programs and of profiles in the kernel, by tag and digest."""

    programs: Mapping[tuple[str, str], frozenset[Claim]]
    profiles: Mapping[tuple[str, str], frozenset[Claim]]

    def of_profile(self, profile: LoadedProfile) -> frozenset[Claim]:
        """The claims on a profile in the kernel, by any of its digests."""
        found = (self.profiles.get((profile.name, digest), frozenset()) for digest in kernel_digests(profile))
        return frozenset().union(*found)


NO_REFERENCES = References({}, {})
"""Of a run without fingerprints."""


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who makes what. `whole` are the complete sets of seccomp programs that a build has for a tag.

    `made` are the digests of what a build makes of each kind and name. `references` are about what the
    kernel holds alone: they tell of no file.
    """

    claims: Mapping[Item, frozenset[Claim]]
    loaded: Mapping[tuple[str, str], frozenset[Claim]]
    whole: Mapping[tuple[str, str], frozenset[frozenset[str]]]
    made: Mapping[tuple[str, PolicyKind, str], frozenset[str]]
    references: References = NO_REFERENCES

    def of_digest(self, kind: PolicyKind, name: str, digest: str) -> frozenset[Claim]:
        """Every claim on the policy of that kind and name with that digest; empty when nobody is known."""
        return self.claims.get((kind, name, digest), frozenset())

    def of_profile(self, profile: LoadedProfile) -> frozenset[Claim]:
        """Every claim on a profile in the kernel, by its raw digest, else by the kernel's other digests."""
        raw = (profile.raw_sha256, profile.raw_sha1)
        direct = (self.of_digest(PolicyKind.APPARMOR_CACHE, profile.name, digest) for digest in raw if digest)
        other = (self.loaded.get((profile.name, digest), frozenset()) for digest in other_digests(profile))
        learnt = frozenset().union(*direct) or frozenset().union(*other)
        return learnt | self.references.of_profile(profile)

    def expected(self, build: str, kind: PolicyKind, name: str) -> frozenset[str]:
        """The digests of what a build is known to generate."""
        return self.made.get((build, kind, name), frozenset())


NOTHING = Authorship({}, {}, {}, {})


def learn(
    timeline: Timeline, builds: Builds, writers: Writers = NOBODY, before: Authorship = NOTHING
) -> Authorship:
    """Gather every claim of a run, on top of those of `before`; `writers` were seen to write."""
    looks = sorted(
        (seen for boot in timeline.boots for seen in boot.looks), key=lambda s: (s.taken.boot, s.line)
    )
    book: _Book = {}
    for item, those in before.claims.items():
        book[item] = {(claim.build, claim.known_by): claim for claim in those}
    whole = {key: set(sets) for key, sets in before.whole.items()}
    known = lives(looks, builds)
    for file, claim in (*_of_files(looks, known, builds, writers), *_of_writers(writers, builds)):
        # A text has an author too: two may become one program, and only one of them be read by a launcher.
        for digest in {*digests(file), *([file.sha256] if file.kind == PolicyKind.SECCOMP_TEXT else [])}:
            _enter(book, (file.kind, file.name, digest), claim)
        if file.kind in COMPILED_SECCOMP and programs(file):
            whole.setdefault((claim.build, file.name), set()).update(whole_sets(file))
    for name, claim in tuple(_without_mounts(known, book, builds, writers)):
        _enter(book, (PolicyKind.MOUNT, name, NO_MOUNTS), claim)
    for file, claim in (*_of_caches(looks, known, book, builds), *_of_written_caches(writers, builds)):
        for digest in digests(file):
            _enter(book, (file.kind, file.name, digest), claim)
    claims = {item: frozenset(found.values()) for item, found in book.items()}
    complete = {key: frozenset(sets) for key, sets in whole.items()}
    by_files = Authorship(claims, before.loaded, complete, _made_by_build(claims))
    return replace(by_files, loaded=_of_loaded(looks, by_files))


def _enter(book: _Book, item: Item, claim: Claim) -> None:
    book.setdefault(item, {}).setdefault((claim.build, claim.known_by), claim)


def _made_by_build(
    claims: Mapping[Item, frozenset[Claim]],
) -> dict[tuple[str, PolicyKind, str], frozenset[str]]:
    found: dict[tuple[str, PolicyKind, str], set[str]] = {}
    for (kind, name, digest), those in claims.items():
        for build in {claim.build for claim in those}:
            found.setdefault((build, kind, name), set()).add(digest)
    return {key: frozenset(digests_made) for key, digests_made in found.items()}


def _of_files(
    looks: Iterable[SeenLook], known: Sequence[Life], builds: Builds, writers: Writers
) -> Iterator[tuple[PolicyFile, Claim]]:
    written = _kinds_written(known, writers)
    for life in known:
        for file in life.seen.look.files:
            if file.kind == PolicyKind.APPARMOR_CACHE:
                continue
            if life.wrote(file) and not _by_a_stranger(life, file, writers):
                yield file, _claim(life, KnownBy.WRITTEN, file, builds)
            elif life.left_alone(file, written[life.build]) and not _was_put_there(file, writers):
                yield file, _claim(life, KnownBy.VOUCHED, file, builds)
            elif _is_constant(file) and file.kind in written[life.build]:
                yield file, _claim(life, KnownBy.CONSTANT, file, builds)
    for seen in looks:
        for file in seen.look.files:
            if file.kind == PolicyKind.SECCOMP_SOURCE and file.made_by:
                yield from (
                    (file, _named(seen, file, build, builds)) for build in builds.made_by(file.made_by)
                )


def _by_a_stranger(life: Life, file: PolicyFile, writers: Writers) -> bool:
    snapd = life.seen.look.snapd
    since = snapd.started if snapd else GuestTime(0)
    return writers.not_by_snapd(life.seen.taken.boot, file.path, file.sha256, since)


def _was_put_there(file: PolicyFile, writers: Writers) -> bool:
    """A regeneration does not compare a compiled file with what it would be, and leaves a stranger's."""
    return file.kind in COMPILED_SECCOMP and (file.path, file.sha256) in writers.strangers


def _of_writers(writers: Writers, builds: Builds) -> Iterator[tuple[PolicyFile, Claim]]:
    for one in writers.all:
        by_snapd = one.daemon.build if one.daemon else ""
        file = file_of(one.change) if by_snapd else None
        if file and file.kind != PolicyKind.APPARMOR_CACHE and file.sha256:
            says = f"{base_name(file)} {short(file.sha256)} was written by {_hand(one, builds)}"
            yield file, Claim(by_snapd, KnownBy.WITNESSED, Evidence(WITNESS, one.line, says))


def _hand(one: Written, builds: Builds) -> str:
    snapd = f"snapd {builds.name(one.daemon.build)}" if one.daemon else "no snapd"
    return snapd if one.program == "snapd" else f"{one.program} of {snapd}"


def _of_written_caches(writers: Writers, builds: Builds) -> Iterator[tuple[PolicyFile, Claim]]:
    """A cache that was written after a snapd had written the source, by that very process's own parser.

    apparmor_parser works in children of its own (`--jobs`), which execute nothing: of such a writer nothing
    is known, but what lay there to be compiled is the source that this process wrote last.
    """
    sources: dict[tuple[int, str], Daemon | None] = {}
    for one in writers.all:
        file = file_of(one.change)
        if file is None:
            continue
        wrote = sources.get((one.boot, file.name))
        if file.kind == PolicyKind.APPARMOR_SOURCE:
            sources[one.boot, file.name] = one.daemon
        elif file.kind == PolicyKind.APPARMOR_CACHE and file.sha256 and wrote and wrote.build:
            by = one.daemon if one.program else wrote
            if by == wrote:
                name = builds.name(wrote.build)
                says = f"cache {short(file.sha256)} was written after snapd {name} had written its source"
                yield file, Claim(wrote.build, KnownBy.WITNESSED, Evidence(WITNESS, one.line, says))


def _without_mounts(
    known: Iterable[Life], book: _Book, builds: Builds, writers: Writers
) -> Iterator[tuple[str, Claim]]:
    """Where a build set up a snap, or went over all policy, and there is no mount profile, it makes none.

    Not of a build that is known to make one: then somebody may have taken it away. A snap's AppArmor profiles
    are the last that snapd writes of its policy.
    """
    made = {
        (build, name) for (kind, name, _), by in book.items() if kind == PolicyKind.MOUNT for build, _ in by
    }
    for life in known:
        look = life.seen.look
        there = {file.name for file in look.files if file.kind == PolicyKind.MOUNT}
        written = {
            snap_of(file.name)
            for file in look.files
            if file.kind == PolicyKind.APPARMOR_SOURCE
            and life.wrote(file)
            and not _by_a_stranger(life, file, writers)
        }
        snapd = builds.name(life.build)
        for name in sorted({snap_of(service.tag) for service in look.services} - there):
            says = f"there was no {name}.fstab when snapd {snapd} had "
            if look.problems or (life.build, name) in made:
                continue
            if life.vouched is not None:
                says += "regenerated all policy"
                yield name, _made(life.seen, life.build, KnownBy.VOUCHED, says)
            elif name in written:
                says += "written the snap's profiles"
                yield name, _made(life.seen, life.build, KnownBy.WRITTEN, says)


def _is_constant(file: PolicyFile) -> bool:
    return file.name == GLOBAL and digests(file) == {GLOBAL_PROGRAM}


def _kinds_written(known: Iterable[Life], writers: Writers) -> Mapping[str, Set[PolicyKind]]:
    """By build. A snapd that started once more after writing has no life that a look could show it in."""
    kinds: dict[str, set[PolicyKind]] = defaultdict(set)
    for life in known:
        kinds[life.build].update(file.kind for file in life.seen.look.files if life.wrote(file))
    for one in writers.all:
        if one.daemon and one.change.kind:
            kinds[one.daemon.build].add(one.change.kind)
    return kinds


def _claim(life: Life, known_by: KnownBy, file: PolicyFile, builds: Builds) -> Claim:
    name = builds.name(life.build)
    how = {
        KnownBy.WRITTEN: f"was written while snapd {name} ran",
        KnownBy.CONSTANT: f"is the program that snapd {name} has built in",
        KnownBy.VOUCHED: f"was left as it was when snapd {name} regenerated all policy",
    }[known_by]
    return _made(life.seen, life.build, known_by, f"{base_name(file)} {short(file.sha256)} {how}")


def _named(seen: SeenLook, file: PolicyFile, build: str, builds: Builds) -> Claim:
    says = f"{base_name(file)} names snap-seccomp {short(file.made_by)} of snapd {builds.name(build)}"
    return _made(seen, build, KnownBy.NAMED, says)


def _made(seen: SeenLook, build: str, known_by: KnownBy, says: str) -> Claim:
    return Claim(build, known_by, Evidence(WITNESS, seen.line, says))


def _of_caches(
    looks: Iterable[SeenLook], known: Iterable[Life], book: _Book, builds: Builds
) -> Iterator[tuple[PolicyFile, Claim]]:
    running = {life.seen.line: life for life in known}
    for seen in looks:
        sources = {f.name: f for f in seen.look.files if f.kind == PolicyKind.APPARMOR_SOURCE}
        for file in seen.look.files:
            source = sources.get(file.name)
            if file.kind == PolicyKind.APPARMOR_CACHE and source and _compiled_from(file, source):
                for claim in book.get((source.kind, source.name, source.sha256), {}).values():
                    says = _of_cache(file, claim, running.get(seen.line), builds)
                    yield file, _made(seen, claim.build, KnownBy.COMPILED, says)


def _of_cache(cache: PolicyFile, claim: Claim, life: Life | None, builds: Builds) -> str:
    place = f"{claim.evidence.file}:{claim.evidence.line}"
    says = (
        f"cache {short(cache.sha256)} is compiled from a source of snapd {builds.name(claim.build)} ({place})"
    )
    if life and life.build != claim.build and life.wrote(cache):
        return f"{says}, though the cache was written while snapd {builds.name(life.build)} ran"
    return says


def _compiled_from(cache: PolicyFile, source: PolicyFile) -> bool:
    return cache.changed >= source.changed and cache.modified >= source.modified - _TIME_GRAIN


def _of_loaded(looks: Iterable[SeenLook], known: Authorship) -> dict[tuple[str, str], frozenset[Claim]]:
    """Carry claims from raw digests over to the kernel's other digests of the same profile."""
    found = dict(known.loaded)
    for seen in looks:
        for profile in seen.look.profiles:
            says = f"the kernel gave the profile {profile.name} both digests"
            claims = frozenset(
                _made(seen, claim.build, KnownBy.LOADED, says) for claim in known.of_profile(profile)
            )
            for digest in other_digests(profile):
                key = (profile.name, digest)
                found[key] = found.get(key, frozenset()) | claims
    return found
