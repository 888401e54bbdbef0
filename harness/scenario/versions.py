# SPDX-License-Identifier: GPL-3.0-only
"""Which of two versions is older, by Debian's rules, which are also snapd's (strutil.VersionCompare)."""

from __future__ import annotations

import re

from harness.model.catalogue import CoreEntry, Replica, SuitePackage

_PART = re.compile(r"(\D*)(\d*)", re.ASCII)


def core_version(core: CoreEntry) -> str:
    """The version that the core's snapd gives itself, as far as the catalogue says; else empty."""
    if core.claims:
        return core.claims
    if isinstance(core.source, SuitePackage):
        return core.source.version
    if isinstance(core.source, Replica):
        return core.source.release
    return core.name if core.name[:1].isdigit() else ""


def is_older(version: str, than: str) -> bool:
    """True when the upstream part of `version` sorts before that of `than`.

    Only upstream parts, because a catalogue may leave Debian's revision out on either side.
    """
    return _key(_upstream(version)) < _key(_upstream(than))


def _upstream(version: str) -> str:
    without_epoch = version.split(":", 1)[-1]
    return without_epoch.rsplit("-", 1)[0] if "-" in without_epoch else without_epoch


def _key(version: str) -> list[tuple[list[int], int, str]]:
    parts = [match.groups() for match in _PART.finditer(version) if match[0]]
    return [_part_key(text, digits.lstrip("0")) for text, digits in [*parts, ("", "")]]


def _part_key(text: str, digits: str) -> tuple[list[int], int, str]:
    return [*map(_order, text), _order("")], len(digits), digits


def _order(character: str) -> int:
    """deb-version(7): ``~`` before the end of a part, the end before letters, letters before the rest."""
    if character == "~":
        return -1
    if character == "":
        return 0
    return ord(character) if character.isalpha() else ord(character) + 0x110000
