# SPDX-License-Identifier: GPL-3.0-only
"""Overlays on an image that stays as it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from harness.errors import HostLacks
from harness.host.process import run
from harness.qemu.command import CacheMode, DiskFormat
from harness.qemu.disk import cache_for, create_overlay

pytestmark = pytest.mark.qemu


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base, with a comma.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", path, "16M"])
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_written_lands_in_the_overlay(base: Path, tmp_path: Path) -> None:
    before = digest(base)
    overlay = create_overlay(base, tmp_path / "overlay.qcow2")
    run(["qemu-io", "-c", "write -P 7 0 64k", overlay])
    assert digest(base) == before
    info = json.loads(run(["qemu-img", "info", "--output=json", overlay]).stdout)
    assert info["backing-filename"] == str(base)
    assert info["backing-filename-format"] == "qcow2"
    assert info["virtual-size"] == 16 * 1024 * 1024


def test_a_relative_image_is_found_from_anywhere(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    overlay = create_overlay(Path(base.name), tmp_path / "overlay.qcow2")
    monkeypatch.chdir("/")
    run(["qemu-img", "check", "-q", overlay])


def test_a_raw_image_can_be_below(tmp_path: Path) -> None:
    raw = tmp_path / "base.raw"
    raw.write_bytes(bytes(1024 * 1024))
    overlay = create_overlay(raw, tmp_path / "overlay.qcow2", base_format=DiskFormat.RAW)
    info = json.loads(run(["qemu-img", "info", "--output=json", overlay]).stdout)
    assert info["backing-filename-format"] == "raw"


def test_a_full_disk_is_said_before_anything_is_made(base: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.qcow2"
    with pytest.raises(HostLacks, match=r"has 12 MiB free, 1024 MiB are needed"):
        create_overlay(base, overlay, free=lambda _: 12)
    assert not overlay.exists()


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostLacks, match=r"no-such\.qcow2 does not exist"):
        create_overlay(tmp_path / "no-such.qcow2", tmp_path / "overlay.qcow2")


def test_flushes_count_where_power_may_be_cut() -> None:
    assert cache_for(power_cuts=False) is CacheMode.UNSAFE
    assert cache_for(power_cuts=True) is CacheMode.WRITEBACK
