# SPDX-License-Identifier: GPL-3.0-only
"""Cores and snaps of small trees and debs, looked at with unsquashfs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BuildFailed, Mistake
from harness.host import process
from harness.host.process import Argument, Completed
from harness.image import core
from harness.image.core import build_core
from harness.image.payload import build_payload
from harness.image.snapfile import SnapFile, build_ids, squash
from harness.image.snaps import build_snap
from harness.image.tree import SOURCE_DATE_EPOCH, Tree
from harness.image.workshop import Workshop, open_workshop
from harness.model.catalogue import CoreEntry, SnapEntry, SnapFileSource
from harness.model.spans import Span

pytestmark = pytest.mark.skipif(shutil.which("sqfstar") is None, reason="needs squashfs-tools")
HERE = Span("catalogue.yaml", 3, 5)
ELF = b"\x7fELF\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0" + b"\xab" * 20


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return open_workshop(root=tmp_path / "cache", mirror="file:/nowhere")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    meta = tmp_path / "files/meta"
    meta.mkdir(parents=True)
    (meta / "snap.yaml").write_text("name: little\nversion: '@VERSION@'\n")
    path = tmp_path / "little.yaml"
    path.write_text("summary: s\nversion: '1.5'\nrooted: [trixie]\nfiles: [files]\n")
    return path


def little(recipe: Path) -> SnapEntry:
    return SnapEntry("little", HERE, {"default": str(recipe)})


def root_tree(**info: str) -> Tree:
    tree = Tree()
    tree.file("usr/lib/snapd/snapd", ELF, 0o755)
    tree.file("usr/lib/snapd/info", "".join(f"{key}={value}\n" for key, value in info.items()).encode())
    return tree


def given_snap(tmp_path: Path) -> Path:
    tree = root_tree(VERSION="2.1")
    core._finish(tree, "")
    squash(tree, tmp_path / "given.snap")
    return tmp_path / "given.snap"


def listed(snap: Path) -> str:
    return process.run(["unsquashfs", "-lln", snap]).stdout.decode()


def test_a_snap_is_the_same_twice_and_all_of_it_is_roots(tmp_path: Path) -> None:
    tree = root_tree(VERSION="1")
    for name in ("a.snap", "b.snap"):
        squash(tree, tmp_path / name)
    assert (tmp_path / "a.snap").read_bytes() == (tmp_path / "b.snap").read_bytes()
    rows = [line for line in listed(tmp_path / "a.snap").splitlines() if line[:1] in "d-"]
    assert all(" 0/0 " in row for row in rows)
    assert re.match(r"drwxr-xr-x .* squashfs-root$", rows[0]), "snap-confine refuses others"


def test_a_normal_users_snap_is_roots_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    squash(root_tree(VERSION="1"), tmp_path / "roots.snap")
    as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    run, who = process.run, as_nobody if os.geteuid() == 0 else ()

    def run_as_nobody(argv: Sequence[Argument], **options: Any) -> Completed:
        return run([*who, *argv], **options)

    monkeypatch.setattr(process, "run", run_as_nobody)
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o777)
        squash(root_tree(VERSION="1"), Path(place) / "nobodys.snap")
        assert (Path(place) / "nobodys.snap").read_bytes() == (tmp_path / "roots.snap").read_bytes()


def test_a_snap_has_the_time_that_it_is_given(tmp_path: Path) -> None:
    days = {"2001-09-09": 1_000_000_000, "2023-11-14": SOURCE_DATE_EPOCH}
    for day, built in days.items():
        squash(root_tree(VERSION="1"), tmp_path / day, built)
        found = [line for line in listed(tmp_path / day).splitlines() if line[:1] in "d-"]
        assert found
        assert all(f" {day} " in line for line in found)


def test_a_core_claims_a_version_and_keeps_the_rest_of_its_info() -> None:
    tree = root_tree(VERSION="2.49-1", SNAPD_APPARMOR_REEXEC="1")
    assert core._finish(tree, "2.57.6+really2.49") == "2.57.6+really2.49"
    assert tree.read("usr/lib/snapd/info") == b"VERSION=2.57.6+really2.49\nSNAPD_APPARMOR_REEXEC=1\n"
    assert b"type: os" in tree.read("meta/snap.yaml")
    assert build_ids(tree, "usr/lib/snapd") == {"snapd": "ab" * 20}


def test_capabilities_beside_a_program_are_set_on_it(tmp_path: Path) -> None:
    tree = root_tree(VERSION="2.77")
    tree.file("usr/lib/snapd/snap-confine", ELF, 0o755)
    tree.file("usr/lib/snapd/snap-confine.caps", b"cap_chown,cap_sys_admin=p")
    core._finish(tree, "")
    squash(tree, tmp_path / "core.snap")
    # unsquashfs unpacks capabilities as root only (4.5.1), and a namespace's are read there.
    as_root = () if os.geteuid() == 0 else ("unshare", "--map-root-user", "--")
    if process.run([*as_root, "true"], check=False).returncode != 0:
        pytest.skip("no user namespaces")
    out = tmp_path / "out"
    process.run([*as_root, "unsquashfs", "-quiet", "-no-progress", "-d", out, tmp_path / "core.snap"])
    reads = "import os, sys; sys.stdout.buffer.write(os.getxattr(sys.argv[1], 'security.capability'))"
    launcher = out / "usr/lib/snapd/snap-confine"
    value = process.run([*as_root, sys.executable, "-c", reads, launcher]).stdout
    assert value == core.capability_bytes("cap_chown,cap_sys_admin=p")


def test_a_core_without_info_cannot_be_made() -> None:
    with pytest.raises(BuildFailed, match="no usr/lib/snapd/info"):
        core._finish(Tree(), "")


def test_a_snap_file_of_the_users(tmp_path: Path, workshop: Workshop) -> None:
    path = given_snap(tmp_path)
    entry = CoreEntry("mine", SnapFileSource(str(path)), HERE)
    snap = build_core(entry, workshop)
    assert (snap.name, snap.file_name, snap.snap_type) == ("core", "core_mine.snap", "os")
    assert (snap.path, snap.version, snap.build_ids["snapd"]) == (path, "2.1", "ab" * 20)


def test_a_snap_file_with_another_digest_is_a_mistake(tmp_path: Path, workshop: Workshop) -> None:
    entry = CoreEntry("mine", SnapFileSource(str(given_snap(tmp_path)), "0" * 64), HERE)
    with pytest.raises(Mistake, match="its SHA-256 is"):
        build_core(entry, workshop)


def test_files_that_are_no_snaps_are_mistakes(tmp_path: Path, workshop: Workshop) -> None:
    (tmp_path / "no.snap").write_text("not a snap")
    for name in ("no.snap", "missing.snap"):
        entry = CoreEntry("mine", SnapFileSource(str(tmp_path / name)), HERE)
        with pytest.raises(Mistake, match=name):
            build_core(entry, workshop)


def test_a_service_snap_and_its_manifest(recipe: Path, workshop: Workshop) -> None:
    snap = build_snap(little(recipe), "default", workshop)
    assert (snap.name, snap.file_name, snap.version) == ("little", "little_default.snap", "1.5")
    assert b"version: '1.5'" in process.run(["unsquashfs", "-cat", snap.path, "meta/snap.yaml"]).stdout
    manifest = json.loads(snap.manifest.read_text())
    assert manifest["sha256"] == snap.sha256
    assert manifest["debs"] == []
    assert manifest["tools"]["sqfstar"].startswith("sqfstar version")


def test_the_key_follows_the_content(recipe: Path, workshop: Workshop) -> None:
    first = build_snap(little(recipe), "default", workshop)
    assert build_snap(little(recipe), "default", workshop) == first
    (recipe.parent / "files/more").write_text("more")
    assert build_snap(little(recipe), "default", workshop).path != first.path


def test_a_variant_that_is_not_there(recipe: Path, workshop: Workshop) -> None:
    with pytest.raises(Mistake, match=r"catalogue\.yaml:3:5: .*no variant 'other'; it has: default"):
        build_snap(little(recipe), "other", workshop)


def test_a_snap_under_another_name(recipe: Path, workshop: Workshop) -> None:
    (recipe.parent / "files/meta/snap.yaml").write_text("name: big\nversion: 1\n")
    with pytest.raises(Mistake, match=r"calls it big"):
        build_snap(little(recipe), "default", workshop)


def test_a_payload_holds_the_snaps_as_they_are(recipe: Path, workshop: Workshop) -> None:
    snap = build_snap(little(recipe), "default", workshop)
    snaps: dict[str, SnapFile] = {"little_default.snap": snap, "it's.snap": snap}
    payload = build_payload(snaps, workshop)
    assert build_payload(snaps, workshop) == payload
    for name in snaps:
        inside = process.run(["unsquashfs", "-cat", payload, name]).stdout
        assert inside == snap.path.read_bytes()


def test_a_file_that_the_packages_lack_is_named(recipe: Path, workshop: Workshop) -> None:
    recipe.write_text(recipe.read_text() + "keep: ['usr/bin/gone']\n")
    with pytest.raises(BuildFailed, match="have no file usr/bin/gone"):
        build_snap(little(recipe), "default", workshop)
