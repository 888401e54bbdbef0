# SPDX-License-Identifier: GPL-3.0-only
"""Fingerprints of paper: what control boots of the paper guest's cores come to, and runs that use them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.model.event import ArtifactUsed, FingerprintUsed
from harness.model.fingerprint import Fingerprint
from harness.policy.control_boots import fingerprint_of
from tests.unit.builders import TAGS, Core, Guest, digest

IMAGE = ArtifactUsed("image", "trixie", digest("image"))


def control_boots(core: Core, **more: Any) -> Guest:
    """What `harness fingerprint` records: installed in boot 1, then two boots of what was made anew."""
    guest = Guest(core=core, invariants=(), **more).power_on().install(core).start_services()
    guest.events.append(IMAGE)
    for _ in range(2):
        make_anew(guest).reboot().start_snapd().start_services().look()
    return guest


def make_anew(guest: Guest) -> Guest:
    """All policy of services is removed, and the snapd that runs makes it again."""
    guest.files.clear()
    guest.key = None
    return guest.start_snapd()


def fingerprint(core: Core, tags: tuple[str, ...] = TAGS) -> Fingerprint:
    return fingerprint_of(control_boots(core, tags=tags).timeline(), core.name)


def used(one: Fingerprint) -> FingerprintUsed:
    return FingerprintUsed(digest("key", one.core), one)


def with_fingerprints(guest: Guest, ones: Iterable[Fingerprint]) -> Guest:
    """The same run, had the catalogue had these."""
    guest.events[:0] = [IMAGE, *map(used, ones)]
    return guest
