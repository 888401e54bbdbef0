# SPDX-License-Identifier: GPL-3.0-only
"""Who made what: learnt from looks, and not fooled by a key or a file that was put there by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.model.clock import SECOND, WallTime
from harness.model.observation import PolicyFile, PolicyKind
from harness.model.timeline import Timeline
from harness.policy.authorship import Authorship, KnownBy, learn
from harness.policy.builds import Builds
from harness.policy.kind import GLOBAL_PROGRAM
from tests.unit.builders import BLUEZ, NEW, OLD, Guest, begun, digest, fresh_revert, key_put_back

OLD_WHOLE = OLD.programs(BLUEZ)["whole"]
NEW_ALLOW = NEW.programs(BLUEZ)["allow"]


def learnt(guest: Guest) -> Authorship:
    timeline = guest.timeline()
    return learn(timeline, Builds.of(timeline))


def builds_of(known: Authorship, kind: PolicyKind, name: str, content: str) -> set[str]:
    return {claim.build for claim in known.of_digest(kind, name, content)}


def with_files(timeline: Timeline, change: Callable[[PolicyFile], PolicyFile]) -> Timeline:
    boots = tuple(
        replace(
            boot,
            looks=tuple(
                replace(seen, look=replace(seen.look, files=tuple(map(change, seen.look.files))))
                for seen in boot.looks
            ),
        )
        for boot in timeline.boots
    )
    return replace(timeline, boots=boots)


def test_each_build_is_known_to_make_what_it_wrote() -> None:
    known = learnt(fresh_revert())
    assert known.expected(OLD.build, PolicyKind.SECCOMP_BIN, BLUEZ) == {OLD_WHOLE}
    assert known.expected(NEW.build, PolicyKind.SECCOMP_BIN2, BLUEZ) == set(NEW.programs(BLUEZ).values())
    assert known.expected(OLD.build, PolicyKind.APPARMOR_SOURCE, BLUEZ) == {
        digest("profile", BLUEZ, OLD.name)
    }


def test_a_file_left_beside_is_of_nobody_else() -> None:
    """2.68.3 leaves 2.57.6's .bin, and after the revert 2.57.6 leaves the .bin2."""
    known = learnt(fresh_revert())
    assert builds_of(known, PolicyKind.SECCOMP_BIN, BLUEZ, OLD_WHOLE) == {OLD.build}
    assert builds_of(known, PolicyKind.SECCOMP_BIN2, BLUEZ, NEW_ALLOW) == {NEW.build}


def test_global_filter_is_not_vouched_for_by_a_build_that_writes_no_bin() -> None:
    known = learnt(fresh_revert())
    assert builds_of(known, PolicyKind.SECCOMP_BIN, "global", digest("global")) == {OLD.build}


def test_a_key_put_back_makes_nobody_the_author() -> None:
    known = learnt(key_put_back())
    profile = digest("profile", BLUEZ, NEW.name)
    assert builds_of(known, PolicyKind.APPARMOR_SOURCE, BLUEZ, profile) == {NEW.build}


def test_a_file_left_alone_by_a_regeneration_is_vouched_for() -> None:
    guest = begun(tags=(BLUEZ,))
    source = guest.files[PolicyKind.APPARMOR_SOURCE, BLUEZ]
    guest.reboot().start_snapd()
    guest.regenerate().start_services().look()
    claims = learnt(guest).of_digest(PolicyKind.APPARMOR_SOURCE, BLUEZ, source.sha256)
    assert {claim.known_by for claim in claims} == {KnownBy.WRITTEN, KnownBy.VOUCHED}


def vouching_new_over_an_old_profile(key_version: int = 11) -> Guest:
    """The newer snapd regenerates and finds an AppArmor profile that it would write just so."""
    guest = begun(tags=(BLUEZ,)).install(NEW)
    kept = guest.files[PolicyKind.APPARMOR_SOURCE, BLUEZ]
    guest.files[PolicyKind.APPARMOR_SOURCE, BLUEZ] = replace(kept, changed=WallTime(guest.boot_wall))
    assert guest.key
    guest.key = replace(guest.key, version=key_version)
    return guest.look(boot_end=False)


def test_vouching_needs_a_key_of_a_version_that_is_written_last() -> None:
    content = digest("profile", BLUEZ, NEW.name)
    for version, builds in ((11, {NEW.build}), (10, {NEW.build}), (1, set())):
        known = learnt(vouching_new_over_an_old_profile(version))
        assert builds_of(known, PolicyKind.APPARMOR_SOURCE, BLUEZ, content) == builds


def test_a_compiled_file_older_than_its_source_is_not_vouched_for() -> None:
    """Hazard H-1: the source was written, its compilation cut off, and the next start compiles nothing."""
    guest = begun(tags=(BLUEZ,))
    guest.install(NEW).look(boot_end=False).install(OLD).look(boot_end=False).install(NEW)
    stale = digest("left from before")
    bin2 = guest.files[PolicyKind.SECCOMP_BIN2, BLUEZ]
    old = replace(bin2, changed=WallTime(guest.boot_wall), sha256=stale, parts={"allow": stale})
    guest.files[PolicyKind.SECCOMP_BIN2, BLUEZ] = old
    assert builds_of(learnt(guest.look(boot_end=False)), PolicyKind.SECCOMP_BIN2, BLUEZ, stale) == set()


def test_a_compiled_file_beside_another_builds_source_is_not_snapds() -> None:
    """Somebody copied a whole directory of policy over the running snapd's."""
    guest = begun(tags=(BLUEZ,)).install(NEW)
    put = digest("put there")
    for kind in (PolicyKind.SECCOMP_SOURCE, PolicyKind.SECCOMP_BIN2):
        file = guest.files[kind, BLUEZ]
        made_by = OLD.compiler if kind == PolicyKind.SECCOMP_SOURCE else ""
        guest.files[kind, BLUEZ] = replace(
            file, changed=guest.tick(), sha256=put, parts={"allow": put}, made_by=made_by
        )
    known = learnt(guest.look(boot_end=False))
    assert builds_of(known, PolicyKind.SECCOMP_BIN2, BLUEZ, put) == set()
    assert builds_of(known, PolicyKind.SECCOMP_SOURCE, BLUEZ, put) == {OLD.build}


def test_a_file_older_than_the_process_says_nothing() -> None:
    guest = Guest(tags=(BLUEZ,)).power_on().install(OLD)
    guest.reboot().start_snapd().start_services().look()
    assert learnt(guest).expected(OLD.build, PolicyKind.SECCOMP_BIN, BLUEZ) == frozenset()


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_clock_that_was_set_makes_no_claims_about_what_was_there_before(seconds: int) -> None:
    """Files of before snapd's start must not fall into its life because the clock was moved."""
    guest = Guest(tags=(BLUEZ,)).power_on().install(OLD).start_services()
    guest.reboot().look(boot_end=False)  # no snapd yet, but the boot's clock is on record
    guest.wall += seconds * SECOND
    guest.boot_wall += seconds * SECOND
    guest.start_snapd().start_services().look()
    assert learnt(guest).expected(OLD.build, PolicyKind.SECCOMP_BIN, BLUEZ) == frozenset()


def test_a_file_from_the_future_puts_the_clock_in_doubt() -> None:
    guest = Guest(tags=(BLUEZ,)).power_on().install(OLD).start_services()
    key = (PolicyKind.SECCOMP_BIN, BLUEZ)
    guest.files[key] = replace(guest.files[key], changed=WallTime(guest.wall + 3600 * SECOND))
    assert learnt(guest.look()).expected(OLD.build, PolicyKind.SECCOMP_BIN, BLUEZ) == frozenset()


def test_a_cache_has_the_author_of_its_source_not_of_its_time() -> None:
    """The boot-time loader compiles the newer snapd's profile while the older snapd's boot goes on."""
    guest = key_put_back(tags=(BLUEZ,))
    cache = guest.files[PolicyKind.APPARMOR_CACHE, BLUEZ]
    guest.files[PolicyKind.APPARMOR_CACHE, BLUEZ] = replace(cache, changed=guest.tick())
    known = learnt(guest.look(boot_end=False))
    claims = known.of_digest(PolicyKind.APPARMOR_CACHE, BLUEZ, cache.sha256)
    assert {claim.build for claim in claims} == {NEW.build}


def test_a_cache_of_an_older_source_is_not_joined_to_the_newer_one() -> None:
    guest = begun(tags=(BLUEZ,))
    old_cache = guest.files[PolicyKind.APPARMOR_CACHE, BLUEZ]
    guest.install(NEW)
    guest.files[PolicyKind.APPARMOR_CACHE, BLUEZ] = old_cache
    known = learnt(guest.look(boot_end=False))
    claims = known.of_digest(PolicyKind.APPARMOR_CACHE, BLUEZ, old_cache.sha256)
    assert {claim.build for claim in claims} == {OLD.build}


def test_the_kernels_other_digest_is_learnt_where_both_were_seen() -> None:
    timeline = fresh_revert(tags=(BLUEZ,)).timeline()
    known = learn(timeline, Builds.of(timeline))
    profile = timeline.boots[0].looks[0].look.profiles[0]
    without_raw = replace(profile, raw_sha256="")
    assert {claim.build for claim in known.of_profile(without_raw)} == {OLD.build}
    assert known.of_profile(replace(without_raw, sha256=digest("other"))) == frozenset()


def test_snap_confines_profiles_are_only_known_by_writing() -> None:
    guest = vouching_new_over_an_old_profile()
    source = guest.files[PolicyKind.APPARMOR_SOURCE, BLUEZ]
    name = "snap-confine.core.x1"
    timeline = with_files(guest.timeline(), lambda f: replace(f, name=name) if f.path == source.path else f)
    known = learn(timeline, Builds.of(timeline))
    assert known.expected(NEW.build, PolicyKind.APPARMOR_SOURCE, name) == frozenset()


def test_evidence_names_the_line_and_the_core() -> None:
    known = learnt(fresh_revert(tags=(BLUEZ,)))
    claims = known.of_digest(PolicyKind.SECCOMP_BIN2, BLUEZ, NEW_ALLOW)
    (claim,) = [claim for claim in claims if claim.known_by == KnownBy.WRITTEN]
    assert (claim.evidence.file, claim.evidence.line) == ("witness.jsonl", 3)
    assert "2.68.3" in claim.evidence.says


def test_a_key_of_another_build_written_while_snapd_runs_vouches_for_nothing() -> None:
    guest = begun(tags=(BLUEZ,))
    content = digest("left by nobody known")
    key = (PolicyKind.APPARMOR_SOURCE, BLUEZ)
    guest.files[key] = replace(guest.files[key], sha256=content, changed=WallTime(guest.boot_wall))
    known = learnt(guest.put_key(NEW).look(boot_end=False))
    assert builds_of(known, PolicyKind.APPARMOR_SOURCE, BLUEZ, content) == set()


def test_a_kind_of_file_that_a_build_never_writes_is_not_vouched_for() -> None:
    """A source that both builds write alike is older than either's compiled file."""
    guest = begun(tags=(BLUEZ,)).install(NEW)
    key = (PolicyKind.SECCOMP_SOURCE, BLUEZ)
    alike = replace(guest.files[key], made_by="", changed=WallTime(guest.boot_wall - 10**12))
    guest.files[key] = alike
    known = learnt(guest.look(boot_end=False))
    assert builds_of(known, PolicyKind.SECCOMP_BIN, BLUEZ, OLD_WHOLE) == {OLD.build}
    assert builds_of(known, PolicyKind.SECCOMP_BIN2, BLUEZ, NEW_ALLOW) == {NEW.build}


def test_a_clock_set_back_within_a_boot_makes_a_life_no_longer() -> None:
    guest = Guest(tags=(BLUEZ,)).power_on()
    put = digest("put before snapd ran")
    guest.write(PolicyKind.APPARMOR_SOURCE, BLUEZ, put)
    guest.look(boot_end=False)
    guest.wall -= 20 * SECOND
    guest.boot_wall -= 20 * SECOND
    guest.put_key().start_snapd().look()
    assert learnt(guest).expected(OLD.build, PolicyKind.APPARMOR_SOURCE, BLUEZ) == frozenset()


def test_a_source_put_back_with_its_old_time_is_not_joined_to_a_later_cache() -> None:
    guest = begun(tags=(BLUEZ,))
    saved = guest.files[PolicyKind.APPARMOR_SOURCE, BLUEZ]
    guest.install(NEW).look(boot_end=False)
    cache = guest.files[PolicyKind.APPARMOR_CACHE, BLUEZ]
    guest.files[PolicyKind.APPARMOR_SOURCE, BLUEZ] = replace(saved, changed=guest.tick())
    known = learnt(guest.look(boot_end=False))
    claims = known.of_digest(PolicyKind.APPARMOR_CACHE, BLUEZ, cache.sha256)
    assert {claim.build for claim in claims} == {NEW.build}


def test_the_global_filter_is_built_into_every_snapd_that_writes_bin() -> None:
    """It is written by the first snapd of a guest, before any look, and then left alone."""
    guest = Guest(tags=(BLUEZ,)).power_on()
    parts = {"whole": GLOBAL_PROGRAM}
    guest.write(PolicyKind.SECCOMP_BIN, "global", GLOBAL_PROGRAM, parts)
    guest.start_snapd()
    other = guest.files.pop((PolicyKind.SECCOMP_BIN, "global"))
    guest.files[PolicyKind.SECCOMP_BIN, "global"] = replace(
        other, sha256=GLOBAL_PROGRAM, parts=parts, changed=WallTime(guest.boot_wall)
    )
    guest.key = None
    guest.look(boot_end=False).install(NEW).look(boot_end=False)
    known = learnt(guest)
    assert builds_of(known, PolicyKind.SECCOMP_BIN, "global", GLOBAL_PROGRAM) == {OLD.build}
