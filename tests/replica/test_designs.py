# SPDX-License-Identifier: GPL-3.0-only
"""What each design of 2017 does to a launcher before its snapd has run: what of the debate needs no boot.

2.25's policy allows mknod of regular files and forbids ioctl with TIOCSTI; 2.24's is the other way round. So
what a program may do tells whose policy it runs under.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.replica.designs import DESIGNS, release_of
from harness.replica.release import Wait
from harness.replica.releases import OUT_ALREADY, RELEASES
from tests.replica.stages import (
    KILLED,
    MAKE_REGULAR_FILE,
    PUSH_TO_TERMINAL,
    Act,
    Launched,
    core,
    current,
    launch,
    launches,
    snap,
    snapd,
    table,
)

OWN, NEWER, BOTH_CUT, DIES, WAITS = "own", "the newer's", "the newer's, cut", "dies", "waits, then dies"

# After a revert from 2.25 to 2.24, before 2.24's snapd has run: a snap that was there before, and one that
# was first installed under 2.25.
VERDICTS = {
    "as-it-was": (DIES, DIES),
    "profiles-v2": (OWN, DIES),
    "skip-unknown": (BOTH_CUT, BOTH_CUT),
    "syntax-version": (DIES, DIES),
    "digest": (DIES, DIES),
    "digest-of-boot": (WAITS, WAITS),
    "core-revision": (OWN, DIES),
    "core-link": (DIES, DIES),
    "bpf": (OWN, DIES),
    "rules-reverted": (OWN, OWN),
}


def test_what_the_launcher_does(capsys: pytest.CaptureFixture[str]) -> None:
    rows = []
    for design, (known, first) in VERDICTS.items():
        found = _verdicts(design)
        assert found == [known, first, OWN], design
        rows.append([design, *found])
    with capsys.disabled():
        head = ["2.25 to 2.24", "known snap", "first installed under 2.25", "after snapd has started"]
        print(f"\n{table(head, rows)}")


def _verdicts(design: str) -> list[str]:
    cores: list[Act] = [core("x1", "2.24", design), core("x2", "2.25", design)]
    switch: list[Act] = [("boot", {}), current("x1")]
    before, after = _probes("plain"), _probes("plain")
    outcomes = launches(
        *cores, current("x1"), snap("plain"), snapd(), current("x2"), snap("net"), snapd(),
        *switch, *before, *_probes("net"), snapd(), *after,
    )  # fmt: skip
    return [_verdict(*outcomes[place : place + 2]) for place in (0, 2, 4)]


# The same for two other pairs of releases, and for a snap that was there before: 2.25 reads all of what
# 2.26.4 makes of a snap without plugs, and 2.24 does not know its rules on netlink.
PAIRS = {"another-policy": ("2.25", "2.26.4", "plain"), "skip-level": ("2.24", "2.26.4", "net")}
VERDICTS_OF_PAIRS = {
    "as-it-was": (NEWER, DIES),
    "profiles-v2": (NEWER, OWN),
    # What is left of 2.26.4's rules is what 2.24 makes.
    "skip-unknown": (NEWER, OWN),
    "syntax-version": (DIES, DIES),
    "digest": (NEWER, DIES),
    "digest-of-boot": (WAITS, WAITS),
    "core-revision": (OWN, OWN),
    "core-link": (NEWER, DIES),
    "bpf": (NEWER, OWN),
    "rules-reverted": (OWN, OWN),
}


def test_what_the_launcher_does_between_other_releases(capsys: pytest.CaptureFixture[str]) -> None:
    rows = []
    for design, expected in VERDICTS_OF_PAIRS.items():
        found = tuple(_verdict_of_pair(design, *pair) for pair in PAIRS.values())
        assert found == expected, design
        rows.append([design, *found])
    with capsys.disabled():
        head = [f"{newer} to {older} ({name})" for older, newer, name in PAIRS.values()]
        print(f"\n{table(['design', *head], rows)}")


def _verdict_of_pair(design: str, older: str, newer: str, name: str) -> str:
    cores = [core("x1", older, design), core("x2", newer, design)]
    switch: list[Act] = [("boot", {}), current("x1")]
    outcomes = launches(
        *cores, current("x1"), snap(name), snapd(), current("x2"), snapd(),
        *switch, *_probes(name), snapd(), *_probes(name),
    )  # fmt: skip
    before, after = outcomes[:2], outcomes[2:]
    if before[0].stderr:
        return _verdict(*before)
    return OWN if [one.status for one in before] == [one.status for one in after] else NEWER


def _probes(name: str) -> list[Act]:
    return [launch(name, MAKE_REGULAR_FILE), launch(name, PUSH_TO_TERMINAL)]


def _verdict(file: Launched, push: Launched) -> str:
    if file.stderr:
        # Without a pointer it has no directory to name. How long it took tells little on a busy host.
        no_pointer = "Can not open //" in file.stderr and min(file.seconds, push.seconds) >= 1
        return WAITS if no_pointer else DIES
    meant = {(KILLED, 0): OWN, (0, KILLED): NEWER, (KILLED, KILLED): BOTH_CUT}
    return meant[file.status, push.status]


def test_policy_that_parses_is_taken_from_whoever_made_it() -> None:
    """What compiled profiles do not solve: the file is there, so nobody waits; it is another release's."""
    acts = [core("x1", "2.26.5"), core("x2", "2.27"), snap("plain"), current("x2"), snapd(), current("x1")]
    outcomes = launches(*acts, *_probes("plain"), snapd(), *_probes("plain"))
    assert [_verdict(*outcomes[:2]), _verdict(*outcomes[2:])] == [NEWER, OWN]


def test_every_design_changes_what_was_still_to_come() -> None:
    for design, proposed in DESIGNS.items():
        for name, release in RELEASES.items():
            changed = release_of(name, design)
            assert changed.full_name == f"replica-{name}-{design}"
            assert changed.run.launcher_of_core
            same = replace(changed, design="", run=replace(changed.run, launcher_of_core=True))
            was = replace(release, run=replace(release.run, launcher_of_core=True))
            if design == "as-it-was" or (proposed.newer_alone and name in OUT_ALREADY):
                assert same == was
            elif name == "2.25":
                assert same != was


def test_a_release_without_a_design_is_itself() -> None:
    assert {name: release_of(name) for name in RELEASES} == RELEASES
    assert release_of("2.24").full_name == "replica-2.24"


def test_designs_of_order_and_of_waiting_are_in_the_table() -> None:
    ordered, ready = release_of("2.25", "after-snapd"), release_of("2.25", "after-ready")
    assert (ordered.units.after_snapd, ordered.daemon.notifies) == (True, False)
    assert (ready.units.after_snapd, ready.daemon.notifies, ready.units.wants_snapd) == (True, True, False)
    assert release_of("2.25", "wants-snapd").units.wants_snapd
    key = release_of("2.25", "system-key")
    assert (key.run.waits, key.daemon.key_version) == (Wait.SYSTEM_KEY, 1)
    light = release_of("2.25", "green-light")
    assert (light.run.waits, light.daemon.key_version) == (Wait.GREEN_LIGHT, 0)
