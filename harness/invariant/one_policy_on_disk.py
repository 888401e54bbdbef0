# SPDX-License-Identifier: GPL-3.0-only
"""At each boot's end, what lies on disk for a service is one policy: the running snapd's.

Violated is what could be used: a file of a kind that the running build makes, of another build's content,
or none at all. What it never reads is told as left over, and held: snapd leaves `.bin` beside `.bin2`,
and the other way round, and other cores' profiles of snap-confine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from harness.invariant.ends import absent_snaps, ends_of, unseen_end, witness
from harness.model.observation import PolicyFile, PolicyKind, SnapdSeen
from harness.model.timeline import SeenLook, Timeline
from harness.model.verdict import Finding, Outcome
from harness.policy.builds import short
from harness.policy.kind import COMPILED_SECCOMP, GLOBAL, base_name, digests
from harness.policy.knowledge import Knowledge
from harness.policy.part import authors_of, proof_of, ways_of

NAME = "one-policy-on-disk"

_SNAP_CONFINE = "snap-confine."
_SOURCES = (PolicyKind.SECCOMP_SOURCE, PolicyKind.APPARMOR_SOURCE)
_KINDS = (*_SOURCES, *COMPILED_SECCOMP, PolicyKind.APPARMOR_CACHE)
_TIME_GRAIN = 1_000  # as apparmor_parser and file systems keep modification times


@dataclass(frozen=True, slots=True)
class _Scene:
    """A boot's end, its snapd, and the snaps that are not meant to be there."""

    seen: SeenLook
    snapd: SnapdSeen
    absent: tuple[str, ...]
    known: Knowledge

    @property
    def runs(self) -> str:
        return self.known.builds.name(self.snapd.build_id)


def judge(timeline: Timeline, parameters: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:  # noqa: ARG001
    """Judge each planned boot end."""
    known = Knowledge.of(timeline)
    findings: list[Finding] = []
    for end in ends_of(timeline):
        snapd = end.seen.look.snapd if end.seen else None
        if end.seen is None:
            findings.append(unseen_end(NAME, end))
        elif snapd is None or not snapd.build_id:
            findings.append(
                _of(end.seen, "snapd", Outcome.UNPROVEN, "unseen", "which snapd runs was not seen")
            )
        else:
            absent = tuple(f"snap.{snap}." for snap in sorted(absent_snaps(timeline, end.step.number)))
            findings += _judge_end(_Scene(end.seen, snapd, absent, known))
    return tuple(findings)


def _judge_end(scene: _Scene) -> Iterator[Finding]:
    look = scene.seen.look
    for problem in look.problems:
        yield _of(scene.seen, "look", Outcome.UNPROVEN, "unseen", f"the look is not whole: {problem}")
    by_name: dict[str, list[PolicyFile]] = {}
    for file in look.files:
        if file.kind in _KINDS:
            by_name.setdefault(file.name, []).append(file)
    for name in sorted({*by_name, *(service.tag for service in look.services)}):
        files = sorted(by_name.get(name, ()), key=lambda file: file.path)
        yield from _judge_name(scene, name, files)


def _judge_name(scene: _Scene, name: str, files: list[PolicyFile]) -> Iterator[Finding]:
    if name.startswith(_SNAP_CONFINE):
        yield from _of_other_cores(scene, name, files)
    elif name.startswith(scene.absent or ("\0",)):
        yield _left_over(scene, name, files, "its snap is not installed")
    elif name == GLOBAL:
        uses = scene.known.authors.expected(scene.snapd.build_id, PolicyKind.SECCOMP_BIN, name)
        if not uses:
            yield _left_over(scene, name, files, f"snapd {scene.runs} was never seen to make it")
    elif name.startswith("snap."):
        yield from _judge_application(scene, name, files)


def _of_other_cores(scene: _Scene, name: str, files: list[PolicyFile]) -> Iterator[Finding]:
    """`snap-confine.core.x2` belongs to /snap/core/x2."""
    snap, _, revision = name.removeprefix(_SNAP_CONFINE).partition(".")
    place = f"/snap/{snap}/{revision}/"
    if scene.snapd.exe.startswith("/snap/") and not scene.snapd.exe.startswith(place):
        yield _left_over(scene, name, files, f"snapd runs from {scene.snapd.exe}")


def _judge_application(scene: _Scene, name: str, files: list[PolicyFile]) -> Iterator[Finding]:
    build, authors = scene.snapd.build_id, scene.known.authors
    uses = frozenset(kind for kind in COMPILED_SECCOMP if authors.expected(build, kind, name))
    used = [file for file in files if file.kind in (*_SOURCES, *uses)]
    spare = [file for file in files if file.kind in COMPILED_SECCOMP and file.kind not in uses]
    findings = [found for file in used if (found := _judge_file(scene, file))]
    findings += _judge_caches(scene, [file for file in files if file.kind == PolicyKind.APPARMOR_CACHE])
    if not uses:
        findings.append(_open(scene, name, f"what snapd {scene.runs} compiles for it was never seen"))
    elif not any(file.kind in uses for file in used):
        says = f"no compiled seccomp of snapd {scene.runs} is on disk"
        findings.append(_of(scene.seen, name, Outcome.VIOLATED, "missing", f"{name}: {says}"))
    elif spare:
        yield _left_over(scene, name, spare, f"snapd {scene.runs} reads other files")
    yield from findings
    if all(finding.outcome == Outcome.HELD for finding in findings):
        names = ", ".join(f"{base_name(file)} {short(file.sha256)}" for file in used)
        says = f"{name}: all of it is of snapd {scene.runs}: {names}"
        core = scene.known.builds.core(build)
        yield replace(_of(scene.seen, name, Outcome.HELD, "one", says), author=core)


def _judge_file(scene: _Scene, file: PolicyFile) -> Finding | None:
    """A finding unless the running build makes this content."""
    wanted = digests(file)
    claims = frozenset().union(*(scene.known.authors.of_digest(file.kind, file.name, one) for one in wanted))
    authors = authors_of(claims)
    what = f"{file.name}: {base_name(file)} {short(file.sha256)}"
    if scene.snapd.build_id in authors:
        return None
    if not authors:
        return _open(scene, file.name, f"{what} is of no known author")
    names = " or ".join(map(scene.known.builds.name, authors))
    says = f"{what} is of {names}, and snapd {scene.runs} would use it"
    return replace(
        _of(scene.seen, file.name, Outcome.VIOLATED, "foreign", says),
        author=next((core for author in authors if (core := scene.known.builds.core(author))), ""),
        evidence=(witness(scene.seen, says), *proof_of(claims, authors)),
        known_by=ways_of(claims, authors),
    )


def _judge_caches(scene: _Scene, caches: list[PolicyFile]) -> Iterator[Finding]:
    """One for each set of kernel features. An older cache than its source is compiled anew."""
    found = [(cache, _judge_file(scene, cache)) for cache in caches]
    if any(finding is None for _, finding in found):
        return
    sources = {f.name: f for f in scene.seen.look.files if f.kind == PolicyKind.APPARMOR_SOURCE}
    for cache, finding in found:
        source = sources.get(cache.name)
        if finding and source and cache.modified >= source.modified - _TIME_GRAIN:
            yield finding
        elif finding:
            yield _left_over(scene, cache.name, [cache], "its source is newer, or gone")


def _left_over(scene: _Scene, name: str, files: Iterable[PolicyFile], why: str) -> Finding:
    names = ", ".join(sorted({base_name(file) for file in files}))
    return _of(scene.seen, name, Outcome.HELD, "leftover", f"{name}: {names} is left over: {why}")


def _open(scene: _Scene, name: str, says: str) -> Finding:
    says = says if says.startswith(name) else f"{name}: {says}"
    return _of(scene.seen, name, Outcome.UNPROVEN, "unseen", says)


def _of(seen: SeenLook, subject: str, outcome: Outcome, kind: str, summary: str) -> Finding:
    evidence = (witness(seen, summary),)
    return Finding(NAME, outcome, kind, subject, seen.taken.boot, summary, evidence=evidence)
