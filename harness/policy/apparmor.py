# SPDX-License-Identifier: GPL-3.0-only
"""A process's AppArmor profile read against what builds of snapd generate.

The label names the profile; what the profile is, the kernel's digest of it says. AppArmor policy is
replaced in place for running processes, so this is the profile that holds now, not the one at exec.
"""

from __future__ import annotations

from harness.model.observation import LoadedProfile, PolicyKind, ProcessSeen
from harness.model.verdict import Evidence
from harness.policy.authorship import WITNESS, Authorship
from harness.policy.builds import Builds, short
from harness.policy.part import Part, State, Surroundings, authors_of, proof_of, ways_of

WHAT = "AppArmor"
UNCONFINED = "unconfined"


def read(
    around: Surroundings, process: ProcessSeen, tag: str, build: str, known: Authorship, builds: Builds
) -> Part:
    """Judge the profile of one process of the service `tag` while the snapd of `build` runs."""
    if process.label == UNCONFINED:
        return _unconfined(around, process, tag)
    if process.label != tag and not process.label.startswith(f"{tag}//"):
        what = f"runs under {process.label}" if process.label else process.problem or "no label"
        return Part(WHAT, State.UNSEEN, f"AppArmor is not of this service: {what}")
    profiles = [profile for profile in around.profiles if profile.name == tag]
    if len(profiles) != 1:
        return Part(WHAT, State.UNSEEN, f"AppArmor: the kernel lists the profile {len(profiles)} times")
    return _profile(around, profiles[0], build, known, builds)


def _profile(
    around: Surroundings, profile: LoadedProfile, build: str, known: Authorship, builds: Builds
) -> Part:
    digest = digest_of(profile)
    claims = known.of_profile(profile)
    authors = authors_of(claims)
    loaded = Evidence(
        WITNESS, around.line, f"{profile.name}: AppArmor profile {short(digest)} is in the kernel"
    )
    if not digest or not authors:
        says = f"AppArmor profile {short(digest) or 'without a digest'} is of no known author"
        return Part(WHAT, State.UNSEEN, says, (), (digest,), (loaded,))
    if build in authors:
        says = f"AppArmor {short(digest)} is of {builds.name(build)}"
        proof = (loaded, *proof_of(claims, [build]))
        return Part(WHAT, State.FRESH, says, (build,), (digest,), proof, ways_of(claims, [build]))
    names = " or ".join(builds.name(author) for author in authors)
    proof = (loaded, *proof_of(claims, authors))
    says = f"AppArmor profile {short(digest)} is of {names}"
    if not known.expected(build, PolicyKind.APPARMOR_CACHE, profile.name):
        says += f", and what {builds.name(build)} makes for it was never seen"
        return Part(WHAT, State.UNSEEN, says, authors, (digest,), proof, ways_of(claims, authors))
    return Part(WHAT, State.STALE, says, authors, (digest,), proof, ways_of(claims, authors))


def _unconfined(around: Surroundings, process: ProcessSeen, tag: str) -> Part:
    on_disk = any(f.kind == PolicyKind.APPARMOR_SOURCE and f.name == tag for f in around.files)
    loaded = any(profile.name == tag for profile in around.profiles)
    where = "in the kernel" if loaded else "on disk"
    if process.problem or (around.problems and not (on_disk or loaded)):
        return Part(WHAT, State.UNSEEN, "AppArmor: unconfined, and the policy could not be read")
    if not on_disk and not loaded:
        says = f"{tag}: process {process.pid} is unconfined; no profile is on disk or in the kernel"
        proof = Evidence(WITNESS, around.line, says)
        return Part(WHAT, State.MISSING, "there is no AppArmor profile at all", (), (), (proof,))
    says = f"{tag}: process {process.pid} is unconfined; the profile is {where}"
    proof = Evidence(WITNESS, around.line, says)
    return Part(WHAT, State.ABSENT, f"no AppArmor profile, although one is {where}", (), (), (proof,))


def digest_of(profile: LoadedProfile) -> str:
    """The best digest that the kernel gives: the raw one in SHA-256 from Linux 6.8 on."""
    return profile.raw_sha256 or profile.raw_sha1 or profile.sha256 or profile.sha1
