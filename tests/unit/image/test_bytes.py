# SPDX-License-Identifier: GPL-3.0-only
"""The binary formats that are written or read here without a library."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BuildFailed
from harness.host import process
from harness.image.core import capability_bytes
from harness.image.debs import Deb
from harness.image.digest import key_of
from harness.image.initrd import Member, cpio, initrd
from harness.image.kernel import Kernel, _needs, _soft_needs
from harness.image.snapfile import build_id
from harness.image.tree import Tree

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


KERNEL = Kernel("6.12", b"", Tree(), (), ())


def busybox_deb(tmp_path: Path, program: str) -> Deb:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: busybox-static\nVersion: 1.37\nArchitecture: amd64\nMaintainer: t <t@example.org>\n"
        "Description: for a test\n"
    )
    (tree / program).parent.mkdir(parents=True)
    (tree / program).write_bytes(b"a program")
    deb = tmp_path / "busybox.deb"
    process.run(["dpkg-deb", "--build", "--root-owner-group", tree, deb])
    return Deb("busybox-static", "1.37", "", deb, "")


def unpacked(archive: bytes, tmp_path: Path) -> Path:
    place = tmp_path / "unpacked"
    place.mkdir()
    process.run(["cpio", "--extract", "--quiet"], input=archive, cwd=place)
    return place


@pytest.mark.skipif(shutil.which("cpio") is None, reason="needs cpio")
def test_cpio_reads_our_archives(tmp_path: Path) -> None:
    files = {
        "seed/run/a": Member(b"12345", 0o600),
        "bin/tool": Member(b"#!", 0o755),
        "bin/link": Member(link="tool"),
    }
    process.run(["cpio", "--extract", "--quiet"], input=cpio(files), cwd=tmp_path)
    assert (tmp_path / "seed/run/a").read_bytes() == b"12345"
    assert (tmp_path / "bin/tool").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "bin/link").readlink() == Path("tool")


def test_an_archive_can_follow_another() -> None:
    assert len(cpio({"a": Member(b"1")})) % 4 == 0


def test_a_gnu_build_id_wins_over_gos() -> None:
    gnu = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0" + bytes(range(20))
    go = b"\x04\0\0\0\x05\0\0\0\x04\0\0\0Go\0\0abcde\0\0\0"
    assert build_id(b"\x7fELF" + go + gnu) == bytes(range(20)).hex()
    assert build_id(b"\x7fELF" + go) == b"abcde".hex()
    assert build_id(gnu) == ""
    assert build_id(b"\x7fELF") == ""


def test_capabilities_as_the_kernel_stores_them() -> None:
    """As setcap(8) wrote it for the same text."""
    assert capability_bytes("cap_chown,cap_sys_admin=p").hex() == "0000000201002000" + "00" * 12
    assert capability_bytes("cap_net_raw+ep").hex() == "0100000200200000" + "00" * 12
    assert capability_bytes("cap_bpf=p").hex() == "00000002" + "00" * 8 + "80000000" + "00" * 4


def test_an_unknown_capability_is_named() -> None:
    with pytest.raises(BuildFailed, match="fly"):
        capability_bytes("cap_fly=p")


def test_what_a_module_needs() -> None:
    module = b"...\0depends=virtio,virtio-ring\0softdep=pre: crypto-crc32c\0..."
    assert _needs(module) == ["virtio", "virtio_ring"]
    assert _soft_needs(module) == ["crypto_crc32c"]
    assert _needs(b"\0depends=\0") == []


@given(st.dictionaries(st.sampled_from("abc"), JSON), st.dictionaries(st.sampled_from("abc"), JSON))
def test_keys_are_equal_exactly_when_inputs_are(one: dict[str, object], other: dict[str, object]) -> None:
    assert key_of(**one) == key_of(**dict(reversed(one.items())))
    equal = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (key_of(**one) == key_of(**other)) == equal


@pytest.mark.skipif(shutil.which("cpio") is None, reason="needs cpio")
def test_an_initrd_takes_busybox_out_of_its_deb(tmp_path: Path) -> None:
    found = unpacked(initrd(KERNEL, b"#!/bin/sh\n", busybox_deb(tmp_path, "usr/bin/busybox")), tmp_path)
    assert (found / "bin/busybox").read_bytes() == b"a program"
    assert (found / "bin/mount").readlink() == Path("busybox")
    assert (found / "init").read_bytes() == b"#!/bin/sh\n"


def test_a_deb_without_a_busybox_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"no bin/busybox in busybox-static 1\.37"):
        initrd(KERNEL, b"", busybox_deb(tmp_path, "usr/share/doc/bin/busybox"))
