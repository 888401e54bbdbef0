# SPDX-License-Identifier: GPL-3.0-only
"""The AppArmor profile that launchers themselves run under, where every core brings its own under one name.

So it was on Ubuntu Core. The text comes with the core, and what was compiled of it lies in a cache that goes
by times alone: so the kernel may have another core's. A content that was not loaded before in a run is taken
for the core's whose snapd comes next: the boot loads it before there is a snapd, and a snapd that makes way
for another core's loads it before it ends. A cache can only bring back what was loaded before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.model.clock import GuestTime
from harness.model.occurrence import ProfileChange, ProfileChanged
from harness.model.verdict import Evidence
from harness.policy.apparmor import digest_of
from harness.policy.authorship import WITNESS
from harness.policy.builds import Builds, short
from harness.policy.daemons import Daemons
from harness.policy.happened import Happened, Placed

NAME = "/snap/core/*/usr/lib/snapd/snap-confine"
"""The profile's name, which is the pattern of the launchers that it is for."""


@dataclass(frozen=True, slots=True)
class OwnProfile:
    """A content of the profile: the build it is of, and what shows that."""

    digest: str
    build: str
    proof: Evidence


@dataclass(frozen=True, slots=True)
class LauncherProfiles:
    """The contents by digest, and what was loaded in each boot, in order."""

    known: Mapping[str, OwnProfile]
    loaded: Mapping[int, Sequence[Placed[ProfileChanged]]]

    @classmethod
    def of(
        cls, happened: Mapping[int, Happened], daemons: Mapping[int, Daemons], builds: Builds
    ) -> LauncherProfiles:
        """Learn them from what the kernel was given in the boots, in order."""
        loaded = {boot: happened[boot].profiles.get(NAME, ()) for boot in sorted(happened)}
        known: dict[str, OwnProfile] = {}
        for boot, changes in loaded.items():
            for line, digest, at in _contents(changes):
                snapd = daemons[boot].coming(at)
                if digest and digest not in known and snapd and snapd.build:
                    says = f"{NAME}: {short(digest)} was first loaded for snapd {builds.name(snapd.build)}"
                    known[digest] = OwnProfile(digest, snapd.build, Evidence(WITNESS, line, says))
        return cls(known, loaded)

    def foreign(self, boot: int, at: GuestTime, build: str) -> OwnProfile | None:
        """What of another build the kernel had then, where one of this build's own is known."""
        before = [digest for _, digest, when in _contents(self.loaded.get(boot, ())) if when <= at]
        found = self.known.get(before[-1]) if before else None
        has_own = any(one.build == build for one in self.known.values())
        return found if found and found.build != build and has_own else None


def _contents(changes: Sequence[Placed[ProfileChanged]]) -> Iterator[tuple[int, str, GuestTime]]:
    """Line, digest and time of each that the kernel took; the digest is empty where it was not read."""
    for line, one in changes:
        if one.change != ProfileChange.REMOVE:
            yield line, digest_of(one.profile) if one.profile else "", one.at
