# SPDX-License-Identifier: GPL-3.0-only
"""How a service that has just been executed is read: mounts, control groups, what of it changes by itself."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest

from harness.model import codec
from harness.model.occurrence import Occurrence, Started
from harness.probe import starts

# As snap-confine 2.57.6 leaves them under Linux 6.12, shortened.
MOUNTS = """\
46 154 254:0 / /var/lib/snapd/hostfs rw,relatime master:1 - ext4 /dev/vda rw
49 47 0:30 / /var/lib/snapd/hostfs/run/lock rw,nosuid master:13 - tmpfs tmpfs rw,size=5120k,inode64
121 45 7:0 / / ro,nodev,relatime master:19 - squashfs /dev/loop0 ro,errors=continue
138 121 0:23 / /run rw,nosuid,nodev,relatime master:2 - tmpfs tmpfs rw,mode=755,inode64
140 138 0:33 / /run/credentials/systemd-journald.service ro,nosuid master:16 - tmpfs tmpfs rw,size=1024k
141 138 0:23 mnt:[4026532201] /media/ns rw shared:1 - nsfs nsfs rw
"""
THE_SAME = """\
221 145 7:8 / / ro,nodev,relatime master:27 - squashfs /dev/loop8 ro,errors=continue
46 154 254:0 / /var/lib/snapd/hostfs rw,relatime master:1 - ext4 /dev/vda rw
138 221 0:29 / /run rw,nosuid,nodev,relatime master:3 - tmpfs tmpfs rw,mode=755,inode64
141 138 0:29 mnt:[4026531999] /media/ns rw shared:19 - nsfs nsfs rw
"""
NO_PROCESS = 2**22 + 1


def proc(tmp_path: Path, name: str, text: str) -> str:
    (tmp_path / "7").mkdir(exist_ok=True)
    (tmp_path / "7" / name).write_text(text)
    return str(tmp_path)


def test_mounts_are_the_same_when_only_numbers_and_the_systems_own_differ(tmp_path: Path) -> None:
    first = starts.mounts_digest(7, proc(tmp_path, "mountinfo", MOUNTS))
    assert len(first) == 64
    assert starts.mounts_digest(7, proc(tmp_path, "mountinfo", THE_SAME)) == first


@pytest.mark.parametrize(
    ("old", "new"), [("ro,nodev", "rw,nodev"), ("squashfs", "ext4"), (" / /run ", " /snapd /run ")]
)
def test_other_mounts_have_another_digest(tmp_path: Path, old: str, new: str) -> None:
    first = starts.mounts_digest(7, proc(tmp_path, "mountinfo", MOUNTS))
    assert starts.mounts_digest(7, proc(tmp_path, "mountinfo", MOUNTS.replace(old, new))) != first


@pytest.mark.parametrize("text", ["", "\n", "x", "1 2 3:4 ", " \0 "])
def test_no_mount_table_is_refused(tmp_path: Path, text: str) -> None:
    assert len(starts.mounts_digest(7, proc(tmp_path, "mountinfo", text))) == 64


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/snap.a.b.service\n", "snap.a.b.service"),
        ("0::/system.slice/snap.a.b.service/inner\n", "snap.a.b.service"),
        ("0::/user.slice/user@0.service/app.slice/snap.a.b.x.scope\n", "snap.a.b.x.scope"),
        ("4:devices:/snap.a.b\n1:name=systemd:/system.slice/snap.a.b.service\n", "snap.a.b.service"),
        ("0::/\n", ""),
        ("nonsense\n", ""),
    ],
)
def test_a_processs_unit_is_that_of_its_control_group(tmp_path: Path, text: str, unit: str) -> None:
    assert starts.unit_of(7, proc(tmp_path, "cgroup", text)) == unit


def test_the_device_control_group_is_named(tmp_path: Path) -> None:
    where = proc(tmp_path, "cgroup", "4:devices:/snap.a.b\n0::/system.slice/snap.a.b.service\n")
    assert starts.device_of(7, "snap.a.b", where, str(tmp_path)) == "/snap.a.b"


def test_a_map_stands_for_the_device_control_group_in_version_2(tmp_path: Path) -> None:
    where = proc(tmp_path, "cgroup", "0::/system.slice/snap.a.b.service\n")
    assert starts.device_of(7, "snap.a.b", where, str(tmp_path)) == ""
    (tmp_path / "snap_a_b").touch()
    assert starts.device_of(7, "snap.a.b", where, str(tmp_path)) == str(tmp_path / "snap_a_b")


def test_a_start_has_every_field_and_decodes() -> None:
    raw = starts.read_start(5, "snap.a.b", os.getpid(), "/snap/a/1/b", time.monotonic_ns)
    assert set(raw) - {"type"} == {field.name for field in dataclasses.fields(Started)}
    start = codec.loads(Occurrence, json.dumps(raw))
    assert isinstance(start, Started)
    assert start.mount_profile
    assert start.mount_profile.current == ""


def test_a_process_that_has_gone_was_started_all_the_same() -> None:
    start = starts.read_start(5, "snap.a.b", NO_PROCESS, "/snap/a/1/b", lambda: 9)
    assert (start["at"], start["read_at"], start["process"], start["mounts"]) == (5, 9, None, "")
    assert start["mount_profile"] is None
