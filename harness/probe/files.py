# SPDX-License-Identifier: GPL-3.0-only
"""Reads the policy files that snapd wrote, with their digests and what is inside them."""

from __future__ import annotations

import os
import struct

from .sha256 import hex_of
from .wire import JSON

BIN2_HEADER = 128
SYSTEM_KEY = "/var/lib/snapd/system-key"


class Kind:
    """A kind of file: where it lies, and what of its name is not the policy's name."""

    def __init__(self, kind: str, pattern: str, suffix: str = "") -> None:
        self.kind = kind
        self.pattern = pattern
        self.suffix = suffix
        self._directory, name = os.path.split(pattern)
        self._first, star, self._last = name.partition("*")
        self._is_whole = not star

    def has(self, directory: str, name: str) -> bool:
        """Whether the file of that name in that directory is of this kind."""
        wanted = self._directory
        if wanted.endswith("/*"):
            directory, wanted = os.path.dirname(directory), wanted[:-2]
        if self._is_whole:
            return name == self._first and directory == wanted
        long_enough = len(name) >= len(self._first) + len(self._last)
        is_named = long_enough and name.startswith(self._first) and name.endswith(self._last)
        return is_named and directory == wanted


KINDS = (
    Kind("seccomp-text", "/var/lib/snapd/seccomp/profiles/snap.*"),
    Kind("seccomp-text", "/var/lib/snapd/seccomp/profiles/*/snap.*"),
    Kind("seccomp-text", "/var/lib/snapd/seccomp/profiles-v2/snap.*"),
    Kind("seccomp-pointer", "/var/lib/snapd/seccomp/profiles/current"),
    Kind("seccomp-source", "/var/lib/snapd/seccomp/bpf/*.src", ".src"),
    Kind("seccomp-bin", "/var/lib/snapd/seccomp/bpf/*.bin", ".bin"),
    Kind("seccomp-bin2", "/var/lib/snapd/seccomp/bpf/*.bin2", ".bin2"),
    Kind("apparmor-source", "/var/lib/snapd/apparmor/profiles/*"),
    Kind("apparmor-cache", "/var/cache/apparmor/*/snap*"),
    Kind("mount", "/var/lib/snapd/mount/*.fstab", ".fstab"),
    Kind("device", "/var/lib/snapd/cgroup/*.device", ".device"),
)

# `# BUILD-ID LIBSECCOMP HASH FEATURES`, which snapd 2.39 and later write into every source.
_VERSION_LINE = rb"(?m)^# ([0-9a-f]{16,}) \d[\w.~+-]* [0-9a-f]{16,}\b"


def kind_of(path: str) -> Kind | None:
    """The kind of a policy file, by its path; None when it is none."""
    directory, name = os.path.split(path)
    return next((kind for kind in KINDS if kind.has(directory, name)), None)


def name_of(kind: Kind, path: str) -> str:
    """The policy's name."""
    return os.path.basename(path).removesuffix(kind.suffix)


class Content:
    """What the bytes of a file say."""

    def __init__(self, sha256: str, parts: dict[str, str], made_by: str) -> None:
        self.sha256 = sha256
        self.parts = parts
        self.made_by = made_by


class FileReader:
    """Reads files, and each only once as long as its inode, size and change time stay."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._known: dict[tuple[str, int, int, int], Content] = {}

    def read_all(self, problems: list[str]) -> list[JSON]:
        """Every policy file there is; what cannot be read becomes a problem. Forgets what has gone."""
        import glob  # noqa: PLC0415

        before, self._known = self._known, {}
        found: list[JSON] = []
        for kind in KINDS:
            for path in sorted(glob.glob(self._root + kind.pattern)):
                try:
                    found += self._read(kind, path, before)
                except OSError as error:
                    problems.append(f"cannot read {path}: {error.strerror}")
        return found

    def _read(self, kind: Kind, path: str, before: dict[tuple[str, int, int, int], Content]) -> list[JSON]:
        status = os.stat(path, follow_symlinks=False)
        if not os.path.isfile(path):
            return []
        key = (path, status.st_ino, status.st_size, status.st_ctime_ns)
        content = before.get(key) or understand(kind.kind, _whole(path))
        self._known[key] = content
        return [
            {
                "path": path[len(self._root) :],
                "kind": kind.kind,
                "name": name_of(kind, path),
                "sha256": content.sha256,
                "size": status.st_size,
                "changed": status.st_ctime_ns,
                "modified": status.st_mtime_ns,
                "parts": content.parts,
                "made_by": content.made_by,
            }
        ]


def understand(kind: str, raw: bytes) -> Content:
    """Digest a file and what is inside it; `parts` is empty for a file not of its kind's form."""
    digest = hex_of(raw)
    if kind == "seccomp-bin":
        return Content(digest, {"whole": digest}, "")
    if kind == "seccomp-bin2":
        return Content(digest, split_bin2(raw), "")
    if kind == "seccomp-source":
        import re  # noqa: PLC0415

        line = re.search(_VERSION_LINE, raw[:4096])
        return Content(digest, {}, line[1].decode() if line else "")
    return Content(digest, {}, "")


def split_bin2(raw: bytes) -> dict[str, str]:
    """The digests of a bin2's two programs (snapd 2.63, snap-confine's `struct sc_seccomp_file_header`).

    An unrestricted profile holds no program and gives the one part `unrestricted`. A damaged file gives none.
    """
    if len(raw) < BIN2_HEADER or raw[:2] != b"SC" or raw[2] != 1:
        return {}
    allow, deny = struct.unpack_from("<II", raw, 8)
    if raw[3]:
        return {"unrestricted": hex_of(b"")}
    if len(raw) != BIN2_HEADER + allow + deny:
        return {}
    middle = BIN2_HEADER + allow
    return {
        "allow": hex_of(raw[BIN2_HEADER:middle]),
        "deny": hex_of(raw[middle:]),
    }


def _whole(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
