# SPDX-License-Identifier: GPL-3.0-only
"""Reads the AppArmor profiles that the kernel holds (apparmorfs: security/apparmor/apparmorfs.c)."""

from __future__ import annotations

import os

from .kernelfile import read_text
from .wire import JSON

POLICY = "/sys/kernel/security/apparmor/policy"
# Kernels before 6.8 name the digests for SHA-1.
DIGESTS = ("raw_sha256", "sha256", "raw_sha1", "sha1")


def read_profiles(problems: list[str], policy: str = POLICY) -> list[JSON]:
    """Every loaded profile with "snap" in its name, also children and those of other namespaces."""
    found: list[JSON] = []
    if not os.path.isdir(policy):
        problems.append(f"cannot read the loaded AppArmor profiles: no {policy}")
        return found
    for directory in _profile_directories(policy):
        try:
            profile = _read(directory)
            found += [profile] if "snap" in profile["name"] else []
        except FileNotFoundError:
            continue  # it was removed or replaced while we looked
        except OSError as error:
            problems.append(f"cannot read {directory}: {error.strerror}")
    return sorted(found, key=lambda profile: str(profile["name"]))


def read_profile(name: str, policy: str = POLICY) -> JSON | None:
    """The loaded profile of that name in the first namespace, or None when there is none."""
    above = policy
    for part in name.split("//"):
        directories = os.path.join(above, "profiles")
        stem = f"{_mangled(part)}."
        numbered = [d for d in _names(directories) if d.startswith(stem) and d[len(stem) :].isdigit()]
        found = [d for d in numbered if _name_of(os.path.join(directories, d)).rpartition("//")[2] == part]
        if not found:
            return None
        above = os.path.join(directories, max(found, key=lambda d: int(d[len(stem) :])))
    try:
        return {"type": "loaded-profile", **_read(above), "name": name}
    except OSError:
        return None


def _mangled(name: str) -> str:
    """A profile's name as its directory begins (mangle_name in apparmorfs.c); a number follows."""
    kept = name.lstrip("/.").replace("/", ".").replace(" ", "_")
    return "".join(c for c in kept if (c.isascii() and c.isalnum()) or c in "._-")


def _name_of(directory: str) -> str:
    try:
        return _line(directory, "name")
    except OSError:
        return ""


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


def _read(directory: str) -> JSON:
    digests = {digest: _line(directory, digest) for digest in DIGESTS if _has(directory, digest)}
    return {"name": _line(directory, "name"), "mode": _line(directory, "mode"), **digests}


def _has(directory: str, name: str) -> bool:
    return os.path.exists(os.path.join(directory, name))


def _line(directory: str, name: str) -> str:
    return read_text(os.path.join(directory, name)).strip()


def _listed(directory: str) -> list[str]:
    return [os.path.join(directory, name) for name in _names(directory)]


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
