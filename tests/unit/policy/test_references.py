# SPDX-License-Identifier: GPL-3.0-only
"""What fingerprints add to who made what, where they add nothing, and where they contradict the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge import judge
from harness.model.event import FingerprintUsed
from harness.model.fingerprint import Fingerprint
from harness.model.observation import PolicyKind
from harness.model.timeline import Timeline
from harness.model.verdict import Outcome
from harness.policy import seccomp
from harness.policy.authorship import EVENTS, Claim, KnownBy
from harness.policy.contradiction import contradictions
from harness.policy.knowledge import Knowledge
from tests.unit.builders import BLUEZ, NETWORK, NEW, NEWER, OLD, Core, Guest, begun, digest, fresh_revert
from tests.unit.builders import key_put_back as control
from tests.unit.fingerprints import fingerprint, with_fingerprints

OLD_WHOLE = OLD.programs(BLUEZ)["whole"]
NEW_ALLOW = NEW.programs(BLUEZ)["allow"]


def known(run: Guest | Timeline) -> Knowledge:
    return Knowledge.of(run if isinstance(run, Timeline) else run.timeline())


def by_reference(claims: frozenset[Claim]) -> set[str]:
    return {claim.build for claim in claims if claim.known_by == KnownBy.REFERENCE}


def of_filter(run: Guest | Timeline, content: str, tag: str = BLUEZ) -> set[str]:
    return by_reference(seccomp.claims_on(known(run).authors, tag, content))


def of_profile(run: Guest | Timeline) -> set[str]:
    """Of the profile in the kernel at the last look."""
    timeline = run if isinstance(run, Timeline) else run.timeline()
    profiles = timeline.boots[-1].looks[-1].look.profiles
    return by_reference(known(timeline).authors.of_profile(profiles[0]))


def disagreeing(run: Guest | Timeline) -> list[tuple[str, int]]:
    found = contradictions(known(run))
    return [(one.name, one.boot) for one in found if one.kind == "fingerprint-disagrees"]


def run_with(*ones: Fingerprint) -> Guest:
    return with_fingerprints(fresh_revert(), ones)


def swapped(one: Fingerprint, other: Fingerprint) -> Fingerprint:
    """The first, with what the other is known by."""
    return replace(one, seccomp=other.seccomp, apparmor=other.apparmor)


# -- what they add


def test_a_filter_and_a_profile_of_one_builds_fingerprint_are_known_by_reference() -> None:
    run = run_with(fingerprint(OLD), fingerprint(NEW), fingerprint(NEWER))
    assert of_filter(run, OLD_WHOLE) == {OLD.build}
    assert of_filter(run, NEW_ALLOW) == {NEW.build}
    assert of_profile(run) == {OLD.build}


def test_the_finding_names_it_as_one_of_the_ways() -> None:
    run = with_fingerprints(control(), [fingerprint(OLD), fingerprint(NEW)])
    stale = [f for f in judge(run.timeline()).findings if f.outcome == Outcome.VIOLATED]
    assert stale
    assert all("reference" in finding.known_by for finding in stale)
    told = {e for f in stale for e in f.evidence if e.file == EVENTS and "AppArmor" in e.says}
    assert {e.says.partition("fingerprint of ")[2] for e in told} == {"snapd 2.68.3, taken alone"}
    (line,) = {e.line for e in told}
    event = run.timeline().events[line - 1].event
    assert isinstance(event, FingerprintUsed)
    assert event.fingerprint.core == "2.68.3"


def test_without_fingerprints_nothing_is_known_by_reference() -> None:
    assert of_filter(fresh_revert(), OLD_WHOLE) == set()
    assert all("reference" not in f.known_by for f in judge(control().timeline()).findings)


def test_they_tell_of_the_service_that_they_are_of() -> None:
    run = run_with(fingerprint(OLD, (BLUEZ,)))
    assert of_filter(run, OLD_WHOLE, NETWORK) == set()
    assert of_filter(run, OLD.programs(NETWORK)["whole"], NETWORK) == set()


def test_they_tell_of_no_file() -> None:
    """Which kinds of file a build makes is told by files alone: a fingerprint knows of none."""
    tags = (BLUEZ,)
    guest = Guest(tags=tags, streams=False).power_on()
    run = with_fingerprints(guest.look(), [fingerprint(OLD, tags)])
    authors = known(run).authors
    assert of_filter(run, OLD_WHOLE) == {OLD.build}
    assert authors.of_digest(PolicyKind.SECCOMP_BIN, BLUEZ, OLD_WHOLE) == frozenset()
    assert authors.expected(OLD.build, PolicyKind.SECCOMP_BIN, BLUEZ) == frozenset()
    assert authors.whole == {}


def put(name: str, core: Core) -> Guest:
    """Policy of `core` is put in place by hand and used; nobody saw that core make it."""
    guest = begun(tags=(BLUEZ,))
    parts = {"whole": core.programs(BLUEZ)[name]}
    guest.write(PolicyKind.SECCOMP_BIN, BLUEZ, digest("put"), parts)
    return guest.start_services().look(boot_end=False)


def test_they_name_the_author_of_what_nothing_else_knows() -> None:
    without = [f for f in judge(put("allow", NEW).timeline()).findings if f.outcome == Outcome.VIOLATED]
    run = with_fingerprints(put("allow", NEW), [fingerprint(NEW, (BLUEZ,))])
    found = [f for f in judge(run.timeline()).findings if f.outcome == Outcome.VIOLATED]
    assert without == []
    assert {(f.kind, f.subject, f.author) for f in found} == {("stale", BLUEZ, "2.68.3")}
    assert all("reference" in f.known_by for f in found)


# -- where they add nothing


def test_what_two_builds_make_alike_names_neither() -> None:
    old, new = fingerprint(OLD), fingerprint(NEW)
    alike = replace(new, seccomp={**new.seccomp, BLUEZ: (*new.seccomp[BLUEZ], OLD_WHOLE)})
    run = run_with(old, alike)
    assert of_filter(run, OLD_WHOLE) == set()
    assert of_filter(run, NEW_ALLOW) == {NEW.build}
    assert disagreeing(run) == []


def test_one_build_under_two_keys_is_one_build() -> None:
    old = fingerprint(OLD)
    assert of_filter(run_with(old, old), OLD_WHOLE) == {OLD.build}


@pytest.mark.parametrize(
    "change",
    [
        {"image": digest("another image")},
        {"core_sha256": digest("another file")},
        {"build": digest("another snapd")[:40]},
    ],
)
def test_a_fingerprint_of_other_bytes_counts_for_nothing(change: dict[str, str]) -> None:
    run = run_with(replace(fingerprint(OLD), **change))  # type: ignore[arg-type]
    assert of_filter(run, OLD_WHOLE) == set()
    assert of_profile(run) == set()


# -- where they contradict


def test_the_main_jobs_with_their_fingerprints_contradict_themselves_nowhere() -> None:
    ones = [fingerprint(core) for core in (OLD, NEW, NEWER)]
    for guest in (fresh_revert(), control()):
        assert disagreeing(with_fingerprints(guest, ones)) == []


def test_a_fingerprint_that_names_another_build_is_a_finding_of_its_own() -> None:
    old, new = fingerprint(OLD, (BLUEZ,)), fingerprint(NEW, (BLUEZ,))
    run = with_fingerprints(fresh_revert(tags=(BLUEZ,)), [swapped(old, new), swapped(new, old)])
    assert set(disagreeing(run)) == {(BLUEZ, 0)}
    verdict = judge(run.timeline())
    assert verdict.outcome != Outcome.HELD
    found = [f for f in verdict.findings if f.kind == "fingerprint-disagrees"]
    assert {(f.invariant, f.outcome, f.subject, f.boot) for f in found} == {
        ("record", Outcome.UNPROVEN, BLUEZ, 0)
    }
    assert {what for f in found for what in ("seccomp", "AppArmor") if f" {what} " in f.summary} == {
        "seccomp",
        "AppArmor",
    }
    says = next(f for f in found if OLD_WHOLE[:8] in f.summary)
    assert "fingerprint of 2.68.3" in says.summary
    assert says.summary.endswith("2.57.6 makes it")
    assert {evidence.file for evidence in says.evidence} == {EVENTS, "witness.jsonl"}


def test_a_wrong_fingerprint_makes_no_stale_start_held() -> None:
    """The older build's is said to be what the newer one makes, which it runs under wrongly."""
    old, new = fingerprint(OLD), fingerprint(NEW)
    for ones in ([swapped(old, new), swapped(new, old)], [swapped(old, new)], [swapped(new, old)]):
        assert judge(with_fingerprints(control(), ones).timeline()).outcome != Outcome.HELD


def test_the_profile_alone_contradicts_by_the_kernels_other_digest() -> None:
    old, new = fingerprint(OLD, (BLUEZ,)), fingerprint(NEW, (BLUEZ,))
    other = {BLUEZ: old.apparmor[BLUEZ][1:]}
    run = with_fingerprints(fresh_revert(tags=(BLUEZ,)), [replace(new, apparmor=other)])
    assert disagreeing(run) == [(BLUEZ, 0)]
