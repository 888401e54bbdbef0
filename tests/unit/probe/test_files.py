# SPDX-License-Identifier: GPL-3.0-only
"""Policy files: what is inside them, and that an unchanged one is read once."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.probe import files

BPF = "var/lib/snapd/seccomp/bpf"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def bin2(allow: bytes, deny: bytes, *, unrestricted: int = 0) -> bytes:
    return (
        (b"SC" + bytes((1, unrestricted)) + bytes(4) + struct.pack("<II", len(allow), len(deny))).ljust(
            128, b"\0"
        )
        + allow
        + deny
    )


def put(root: Path, path: str, content: bytes) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_a_bin2_is_its_two_programs() -> None:
    assert files.split_bin2(bin2(b"a" * 16, b"d" * 8)) == {
        "allow": sha256(b"a" * 16),
        "deny": sha256(b"d" * 8),
    }


def test_an_unrestricted_bin2_says_so() -> None:
    assert list(files.split_bin2(bin2(b"", b"", unrestricted=1))) == ["unrestricted"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bin2(b"a" * 8, b"")[:-1],
        bin2(b"", b"") + b"x",
        b"XX" + bin2(b"", b"")[2:],
        b"SC\x02" + bin2(b"", b"")[3:],
    ],
    ids=["empty", "short", "long", "other magic", "other version"],
)
def test_a_damaged_bin2_has_no_parts(raw: bytes) -> None:
    assert files.split_bin2(raw) == {}


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_content_makes_it_raise(raw: bytes) -> None:
    for kind in files.KINDS:
        files.understand(kind.kind, raw)
    files.split_bin2(b"SC\x01" + raw)


def test_a_bins_one_part_is_the_file() -> None:
    assert files.understand("seccomp-bin", b"code").parts == {"whole": sha256(b"code")}


def test_a_source_names_the_build_that_made_it() -> None:
    made_by = "0123456789abcdef" * 2
    line = f"# {made_by} 2.5.4 {'ab' * 32} bpf-actlog"
    source = f"# snap-seccomp version information:\n{line}\n# Description\nread\n"
    assert files.understand("seccomp-source", source.encode()).made_by == made_by
    assert files.understand("seccomp-source", b"@unrestricted\n").made_by == ""


def test_every_kind_is_found_by_its_place_and_named_without_its_suffix(tmp_path: Path) -> None:
    paths = {
        f"{BPF}/snap.a.b.src": ("seccomp-source", "snap.a.b"),
        f"{BPF}/snap.a.b.bin": ("seccomp-bin", "snap.a.b"),
        f"{BPF}/snap.a.b.bin2": ("seccomp-bin2", "snap.a.b"),
        "var/lib/snapd/apparmor/profiles/snap.a.b": ("apparmor-source", "snap.a.b"),
        "var/cache/apparmor/26b63962.0/snap-update-ns.a": ("apparmor-cache", "snap-update-ns.a"),
        "var/lib/snapd/mount/snap.a.fstab": ("mount", "snap.a"),
        "var/lib/snapd/cgroup/snap.a.device": ("device", "snap.a"),
    }
    for path in paths:
        put(tmp_path, path, path.encode())
    put(tmp_path, "var/cache/apparmor/26b63962.0/usr.sbin.other", b"not snapd's")
    problems: list[str] = []
    found = files.FileReader(str(tmp_path)).read_all(problems)
    assert {f["path"][1:]: (f["kind"], f["name"]) for f in found} == paths
    assert all(f["sha256"] == sha256(f["path"][1:].encode()) for f in found)
    assert problems == []


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path) -> None:
    file = put(tmp_path, f"{BPF}/snap.a.b.bin", b"one")
    reader = files.FileReader(str(tmp_path))
    (first,) = reader.read_all([])
    (same,) = reader.read_all([])
    file.write_bytes(b"two")
    (second,) = reader.read_all([])
    assert (first["sha256"], same["sha256"], second["sha256"]) == (
        sha256(b"one"),
        sha256(b"one"),
        sha256(b"two"),
    )
    file.unlink()
    assert reader.read_all([]) == []
