# SPDX-License-Identifier: GPL-3.0-only
"""The digests that a kernel gives of an AppArmor profile: which of them depends on its version."""

from __future__ import annotations

from harness.model.observation import LoadedProfile


def kernel_digests(profile: LoadedProfile) -> tuple[str, ...]:
    """Every digest that the kernel gives of a profile, the raw ones first."""
    raw = (profile.raw_sha256, profile.raw_sha1)
    return (*(digest for digest in raw if digest), *other_digests(profile))


def other_digests(profile: LoadedProfile) -> tuple[str, ...]:
    """Those that are not of the bytes that it was given."""
    return tuple(digest for digest in (profile.sha256, profile.sha1) if digest)
