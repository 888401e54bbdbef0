# SPDX-License-Identifier: GPL-3.0-only
"""The designs that were proposed in 2017, each as what it changes of the release that it is applied to.

A design is a variant of a replica: the core ``2.25`` with the design ``profiles-v2`` is 2.25 as it would have
been with that. Its launcher comes with the core at any release, as it always did on Ubuntu Core: what a
design changes of a launcher would not be reached on a classic guest, where 2.24 executes the image's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from harness.replica import vocabulary
from harness.replica.release import Choice, Form, Release, Unknown, Wait
from harness.replica.releases import OUT_ALREADY, RELEASES


@dataclass(frozen=True, slots=True)
class Design:
    """`summary` is for people; `apply` gives the release as it would have been.

    `newer_alone` says that it was proposed for what was still to come: a release that was out already
    stays as it was.
    """

    summary: str
    apply: Callable[[Release], Release]
    newer_alone: bool = False


def _seccomp(**changes: object) -> Callable[[Release], Release]:
    return lambda one: replace(one, seccomp=replace(one.seccomp, **changes))  # type: ignore[arg-type]


def _units(**changes: bool) -> Callable[[Release], Release]:
    return lambda one: replace(one, units=replace(one.units, **changes))


def _run(waits: Wait) -> Callable[[Release], Release]:
    return lambda one: replace(one, run=replace(one.run, waits=waits, rounds=12, seconds=5.0))


def _notifying(then: Callable[[Release], Release]) -> Callable[[Release], Release]:
    return lambda one: then(replace(one, daemon=replace(one.daemon, notifies=True)))


def _with_key(one: Release) -> Release:
    return _run(Wait.SYSTEM_KEY)(replace(one, daemon=replace(one.daemon, key_version=1)))


def _compiled(one: Release) -> Release:
    return _seccomp(directory="seccomp/bpf", form=Form.BPF, wait=120)(one)


def _numbered(one: Release) -> Release:
    known = (vocabulary.OF_2_24, vocabulary.OF_2_25, vocabulary.OF_2_26)
    return _seccomp(syntax=1 + known.index(one.seccomp.constants))(one)


def _awaited(choice: Choice) -> Callable[[Release], Release]:
    """The launcher waits for what only a snapd of this boot writes."""
    return _seccomp(choice=choice, wait=120)


def _reverted_rules(one: Release) -> Release:
    """A reader that keeps its new words, and a writer that no longer uses them."""
    old = RELEASES["2.24"].seccomp
    return _seccomp(template=old.template, rules=old.rules, constants=vocabulary.OF_2_26)(one)


DESIGNS: Mapping[str, Design] = {
    "as-it-was": Design("nothing is different", lambda one: one),
    "profiles-v2": Design(
        "a new directory for the new syntax", _seccomp(directory="seccomp/profiles-v2"), newer_alone=True
    ),
    "skip-unknown": Design("the launcher leaves out rules it does not know", _seccomp(unknown=Unknown.SKIP)),
    "syntax-version": Design("a profile says which syntax it needs", _numbered),
    "after-snapd": Design("services are ordered after snapd.service", _units(after_snapd=True)),
    "after-ready": Design(
        "the same, and snapd is READY when it has made policy anew", _notifying(_units(after_snapd=True))
    ),
    "wants-snapd": Design(
        "the same, and services want snapd.service", _notifying(_units(after_snapd=True, wants_snapd=True))
    ),
    "system-key": Design("`snap run` waits for snapd when the system-key is another's", _with_key),
    "green-light": Design("`snap run` waits until any snapd answers", _run(Wait.GREEN_LIGHT)),
    "digest": Design(
        "a directory for each content, and a pointer to the one that holds", _seccomp(choice=Choice.DIGEST)
    ),
    "digest-of-boot": Design(
        "the same, with the pointer in /run/snapd.profile-digest", _awaited(Choice.DIGEST_OF_BOOT)
    ),
    "core-revision": Design("a directory for each core", _seccomp(choice=Choice.CORE)),
    "core-link": Design("the same, found by a link that snapd sets", _seccomp(choice=Choice.CORE_LINK)),
    "bpf": Design("compiled profiles in another directory", _compiled, newer_alone=True),
    "rules-reverted": Design("a point release without the new rules", _reverted_rules, newer_alone=True),
}
"""Every design of the debate by its name."""


def release_of(name: str, design: str = "") -> Release:
    """The release of that name, as the design would have made it.

    :raise KeyError: there is no such release or design.
    """
    release = RELEASES[name]
    if not design:
        return release
    proposed = DESIGNS[design]
    made = release if proposed.newer_alone and name in OUT_ALREADY else proposed.apply(release)
    return replace(made, design=design, run=replace(made.run, launcher_of_core=True))
