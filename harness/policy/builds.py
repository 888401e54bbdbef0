# SPDX-License-Identifier: GPL-3.0-only
"""Builds of snapd and what people call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.model.event import ArtifactUsed
from harness.model.timeline import SeenLook, Timeline

SHORT = 8


def short(digest: str) -> str:
    """The first digits of a digest or build id, enough to tell two of a run apart."""
    return digest[:SHORT]


@dataclass(frozen=True, slots=True)
class Builds:
    """Names of snapd's builds, and which snap-seccomp belongs to which.

    `cores` maps a snapd's build id to the catalogue's name of its core, `compilers` to the build ids of
    the snap-seccomp beside it.
    """

    cores: Mapping[str, str]
    compilers: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, timeline: Timeline) -> Builds:
        """Learn them from the snaps that went into a run and from the daemons that were seen in it."""
        cores: dict[str, str] = {}
        pairs: set[tuple[str, str]] = set()
        for artifact in sorted(timeline.artifacts, key=_snaps_first):
            snapd = artifact.build_ids.get("snapd", "")
            if snapd:
                cores.setdefault(snapd, artifact.name)
                pairs.add((snapd, artifact.build_ids.get("snap-seccomp", "")))
        pairs.update(_seen(look for boot in timeline.boots for look in boot.looks))
        return cls(cores, _grouped(pairs))

    def core(self, build: str) -> str:
        """The catalogue's name of the core with this snapd, or an empty string."""
        return self.cores.get(build, "")

    def name(self, build: str) -> str:
        """What people call a build: its core's name, else `build 1234abcd`."""
        return self.core(build) or f"build {short(build)}"

    def made_by(self, compiler: str) -> frozenset[str]:
        """The builds of snapd whose snap-seccomp has this build id."""
        return frozenset(snapd for snapd, tools in self.compilers.items() if compiler in tools)


def _snaps_first(artifact: ArtifactUsed) -> tuple[bool, str]:
    return artifact.role != "snap", artifact.name


def _seen(looks: Iterable[SeenLook]) -> Iterable[tuple[str, str]]:
    daemons = (seen.look.snapd for seen in looks if seen.look.snapd)
    return ((snapd.build_id, snapd.tools.get("snap-seccomp", "")) for snapd in daemons)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    known = [(snapd, tool) for snapd, tool in pairs if snapd and tool]
    return {snapd: frozenset(tool for other, tool in known if other == snapd) for snapd, _ in known}
