# SPDX-License-Identifier: GPL-3.0-only
"""Which making of a policy each start used: the latest one before it with the same digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness.policy.builds import short
from harness.report.starts import UNKNOWN, Start
from harness.report.strip import Edge, seconds
from harness.report.writes import APPARMOR, SECCOMP, Makings, Write


def edges(starts: Iterable[Start], makings: Makings) -> Iterator[Edge]:
    """The edges of one boot's starts, in their order."""
    for start in starts:
        parts = (_seccomp(start, makings), _apparmor(start, makings))
        yield from _marked(start, [edge for edge in parts if edge])


def _seccomp(start: Start, makings: Makings) -> Edge | None:
    """The filter that is the service's own; `global.bin` holds the same program under every snapd."""
    for digest in start.filters:
        if write := makings.latest((SECCOMP, start.tag, digest), start.boot, start.at, start.until):
            return _edge(start, SECCOMP, digest, write, start.seccomp)
    return _unseen(start, SECCOMP, start.filters[0], start.seccomp) if start.filters else None


def _apparmor(start: Start, makings: Makings) -> Edge | None:
    if not start.profile:
        return None
    write = makings.latest((APPARMOR, start.tag, start.profile), start.boot, start.at, start.until)
    if write is None:
        return _unseen(start, APPARMOR, start.profile, start.apparmor)
    return _edge(start, APPARMOR, start.profile, write, start.apparmor)


def _edge(start: Start, lane: str, digest: str, write: Write, makers: tuple[str, ...]) -> Edge:
    author = "/".join(makers)
    brief = f"{lane} {short(digest)}{f' of {author}' if author else ''}"
    here = write.boot == start.boot
    when = f"from {seconds(write.at)}" if here else f"from boot {write.boot}, {seconds(write.at)}"
    return Edge(
        lane=lane,
        since=min(write.at, start.at) if here else None,
        to_lane=start.tag,
        until=start.at,
        says=f"{brief}, {when} ({write.place})",
        brief=brief,
        author=author,
    )


def _unseen(start: Start, lane: str, digest: str, makers: tuple[str, ...]) -> Edge | None:
    """For a violated start, what it ran under although nobody saw it made."""
    if not start.violated:
        return None
    author = "/".join(makers)
    brief = f"{lane} {short(digest)} of {author or UNKNOWN}"
    says = f"{brief}, made when nobody looked"
    return Edge(lane, None, start.tag, start.at, says, brief, author)


def _marked(start: Start, found: list[Edge]) -> Iterator[Edge]:
    """Of a violated start, the edges of the author that its finding names are the broken ones; else all."""
    if not start.violated or start.finding is None:
        yield from found
        return
    author = start.finding.finding.author
    guilty = [edge for edge in found if author and author in edge.author.split("/")] or found
    for edge in found:
        if edge in guilty:
            says, brief = f"{start.kind}: {edge.says}", f"{start.kind}: {edge.brief}"
            yield replace(edge, says=says, brief=brief, broken=True, finding=start.violated)
        else:
            yield edge
