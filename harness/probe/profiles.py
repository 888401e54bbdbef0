# SPDX-License-Identifier: GPL-3.0-only
"""Reads the AppArmor profiles that the kernel holds (apparmorfs: security/apparmor/apparmorfs.c)."""

from __future__ import annotations

import os
from typing import Any

POLICY = "/sys/kernel/security/apparmor/policy"
# Kernels before 6.8 name the digests for SHA-1.
DIGESTS = ("raw_sha256", "sha256", "raw_sha1", "sha1")


def read_profiles(problems: list[str], policy: str = POLICY) -> list[dict[str, Any]]:
    """Every loaded profile with "snap" in its name, also children and those of other namespaces."""
    found: list[dict[str, Any]] = []
    if not os.path.isdir(policy):
        problems.append(f"cannot read the loaded AppArmor profiles: no {policy}")
        return found
    for directory in _profile_directories(policy):
        try:
            found += _read(directory)
        except FileNotFoundError:
            continue  # it was removed or replaced while we looked
        except OSError as error:
            problems.append(f"cannot read {directory}: {error.strerror}")
    return sorted(found, key=lambda profile: str(profile["name"]))


def _profile_directories(policy: str) -> list[str]:
    found = _below(os.path.join(policy, "profiles"))
    for namespace in _listed(os.path.join(policy, "namespaces")):
        found += _profile_directories(namespace)
    return found


def _below(profiles: str) -> list[str]:
    found: list[str] = []
    for directory in _listed(profiles):
        if "snap" in directory.removeprefix(POLICY):
            found.append(directory)
        found += _below(os.path.join(directory, "profiles"))
    return found


def _read(directory: str) -> list[dict[str, Any]]:
    name = _line(directory, "name")
    if "snap" not in name:
        return []
    digests = {digest: _line(directory, digest) for digest in DIGESTS if _has(directory, digest)}
    return [{"name": name, "mode": _line(directory, "mode"), **digests}]


def _has(directory: str, name: str) -> bool:
    return os.path.exists(os.path.join(directory, name))


def _line(directory: str, name: str) -> str:
    with open(os.path.join(directory, name), encoding="utf-8", errors="backslashreplace") as file:
        return file.read().strip()


def _listed(directory: str) -> list[str]:
    try:
        return [os.path.join(directory, name) for name in os.listdir(directory)]
    except FileNotFoundError:
        return []
