# SPDX-License-Identifier: GPL-3.0-only
"""Images of the user's own disk, and what stands in a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import Mistake
from harness.image.build import Image, build_image
from harness.image.digest import sha256_of
from harness.image.workshop import Workshop, open_workshop
from harness.model.catalogue import ImageEntry
from harness.model.spans import Span

RECIPE = """\
summary: my own
disk: mine.qcow2
root: /dev/vda1
cmdline: quiet
kernel-file: vmlinuz
initrd-file: initrd.img
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return open_workshop(root=tmp_path / "cache", mirror="file:/nowhere")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("mine.qcow2", "vmlinuz", "initrd.img"):
        (tmp_path / name).write_text(name)
    return tmp_path


def built(folder: Path, workshop: Workshop, text: str = RECIPE) -> Image:
    (folder / "mine.yaml").write_text(text)
    entry = ImageEntry("mine", str(folder / "mine.yaml"), Span("catalogue.yaml", 1, 1))
    return build_image(entry, workshop)


def test_a_disk_is_used_where_it_lies(folder: Path, workshop: Workshop) -> None:
    image = built(folder, workshop)
    assert image.disk == folder / "mine.qcow2"
    assert (image.name, image.root, image.cmdline) == ("mine", "/dev/vda1", "quiet")
    assert image.kernel.read_text() == "vmlinuz"
    assert image.initrd.read_text() == "initrd.img"
    assert not image.our_initrd


def test_its_manifest_pins_it(folder: Path, workshop: Workshop) -> None:
    image = built(folder, workshop)
    manifest = json.loads(image.manifest.read_text())
    assert manifest["key"] == image.key
    assert manifest["inputs"]["disk"] == sha256_of(image.disk)
    assert manifest["files"]["vmlinuz"] == sha256_of(folder / "vmlinuz")


def test_the_key_is_stable_and_follows_each_file(folder: Path, workshop: Workshop) -> None:
    keys = [built(folder, workshop).key]
    assert built(folder, workshop).key == keys[0]
    for name in ("mine.qcow2", "vmlinuz", "initrd.img"):
        (folder / name).write_text("changed")
        keys.append(built(folder, workshop).key)
    assert len(set(keys)) == 4


def test_a_disk_with_another_digest_is_a_mistake(folder: Path, workshop: Workshop) -> None:
    with pytest.raises(Mistake, match=r"its SHA-256 is .*, the recipe says 0000"):
        built(folder, workshop, f"{RECIPE}sha256: '{'0' * 64}'\n")
