# SPDX-License-Identifier: GPL-3.0-only
"""What the kernel holds for each service when one core's snapd alone has made its policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """An entry of the fingerprint catalogue, taken in two control boots of one core alone.

    `core` is the catalogue's name of the core, `core_sha256` the digest of its file, `build` the build id
    of its snapd; `image` is the key of the guest image, which pins the kernel. By security tag, `seccomp`
    has the digests of the programs that the main process held, `apparmor` the kernel's own digests of the
    profile. What was not the same in both boots is in neither: `refused` says what and why, for people.
    """

    core: str
    core_sha256: str
    build: str
    image: str
    seccomp: Mapping[str, tuple[str, ...]]
    apparmor: Mapping[str, tuple[str, ...]]
    refused: tuple[str, ...] = ()
