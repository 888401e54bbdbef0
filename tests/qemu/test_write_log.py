# SPDX-License-Identifier: GPL-3.0-only
"""QEMU's own log of writes is read as what was written, and disks are made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cut.write_log import DISCARD, FLUSH, WriteLog, parse
from harness.errors import HostLacks, Mistake
from harness.host.deadline import Deadline, wait_until
from harness.host.process import run, spawn
from harness.model.sweep import Cut
from harness.qemu.command import DiskFormat
from harness.qemu.write_log import logged
from harness.sweep import Recording, bootable
from harness.sweep.bootable import CLUSTER, changed
from harness.sweep.recording import count_entries
from tests.unit.cut.disks import make_disk
from tests.unit.cut.write_logs import reader

pytestmark = pytest.mark.qemu

MIB = 1 << 20


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A qcow2 with a file system in it."""
    raw = make_disk(tmp_path / "raw", {"a": b"1" * 5000}, size="16M")
    base = tmp_path / "base, with a comma.qcow2"
    run(["qemu-img", "convert", "-O", "qcow2", raw, base])
    return base


def writing(base: Path, *commands: str) -> tuple[list[str], Recording]:
    """The argv that writes to an overlay on the base as a guest would, and what is recorded."""
    overlay, log = base.with_name("overlay.qcow2"), base.with_name("log")
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, overlay])
    log.touch()
    below = {"driver": "qcow2", "node-name": "n", "file": {"driver": "file", "filename": str(overlay)}}
    words = [word for command in commands for word in ("-c", command)]
    return ["qemu-io", "-t", "writeback", *words, f"json:{json.dumps(logged(below, log))}"], Recording(
        base=base, log=log
    )


def record(base: Path, *commands: str) -> Recording:
    argv, recorded = writing(base, *commands)
    run(argv)
    return recorded


def log_of(run: Recording) -> WriteLog:
    content = run.log.read_bytes()
    return parse(reader(content), len(content), 16 * MIB)


def test_qemu_logs_what_the_reader_reads(base: Path) -> None:
    recorded = record(base, "write -P 7 1M 8k", "flush", "discard 2M 64k", "write -P 9 3M 512", "flush")
    log = log_of(recorded)
    assert log.gap == ""
    expected = [(MIB, 8192, 0), (0, 0, FLUSH), (2 * MIB, 65536, DISCARD), (3 * MIB, 512, 0), (0, 0, FLUSH)]
    found = [(e.start, e.length, e.flags) for e in log.entries]
    assert found[:5] == expected
    # Closing the disk is a flush too.
    assert set(found[5:]) <= {(0, 0, FLUSH)}
    content = recorded.log.read_bytes()
    assert content[log.entries[0].data :].startswith(b"\7" * 8192)


def test_the_entries_are_counted_before_any_flush(base: Path) -> None:
    argv, run_now = writing(base, "write -P 7 1M 4k", "write -P 8 2M 4k", "sleep 600000")
    with spawn(argv):
        wait_until(lambda: count_entries(run_now) == 2, Deadline.after(60), what="two entries")
        assert [entry.flags for entry in log_of(run_now).entries] == [0, 0]


def as_raw(disk: Path) -> bytes:
    raw = disk.with_suffix(".as-raw")
    run(["qemu-img", "convert", "-O", "raw", disk, raw])
    return raw.read_bytes()


@pytest.fixture
def recorded(base: Path) -> Recording:
    return record(
        base,
        "write -P 7 5M 100k", "flush",
        "write -P 8 5200k 8k", "discard 6M 128k", "write -P 9 15M 1M", "flush",
        "write -P 1 5M 512",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cut", "writes"),
    [
        (Cut(0), []),
        (Cut(1), [(5120, 100, 7)]),
        (Cut(2), [(5120, 100, 7), (5200, 8, 8), (6144, 128, 0), (15360, 1024, 9)]),
        (Cut(2, 2), [(5120, 100, 7), (6144, 128, 0), (15360, 1024, 9)]),
        (Cut(2, 3), [(5120, 100, 7), (5200, 8, 8), (15360, 1024, 9)]),
    ],
    ids=str,
)
def test_a_bootable_disk_is_the_base_with_what_survived(
    recorded: Recording, tmp_path: Path, cut: Cut, writes: list[tuple[int, int, int]]
) -> None:
    before = recorded.base.read_bytes()
    expected = bytearray(as_raw(recorded.base))
    for start, length, value in writes:
        expected[start * 1024 : (start + length) * 1024] = bytes([value]) * (length * 1024)
    overlay = bootable(recorded, cut, tmp_path / "sweep", tmp_path / "boot.qcow2")
    assert as_raw(overlay) == expected
    assert recorded.base.read_bytes() == before
    info = json.loads(run(["qemu-img", "info", "--output=json", overlay]).stdout)
    assert info["backing-filename"] == str(recorded.base)
    (kept,) = (tmp_path / "sweep").iterdir()
    assert kept.read_bytes() == as_raw(recorded.base)
    assert overlay.stat().st_size < 4 * MIB


def test_a_cut_that_the_log_does_not_have_is_a_mistake(recorded: Recording, tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"cannot find the cut at flush 9: the log ends at flush [34]"):
        bootable(recorded, Cut(9), tmp_path / "sweep", tmp_path / "boot.qcow2")


def test_a_base_that_is_no_image_is_named(recorded: Recording, tmp_path: Path) -> None:
    recorded.base.write_bytes(b"no image")
    with pytest.raises(HostLacks, match=r"cannot make a plain disk of .*comma\.qcow2"):
        bootable(recorded, Cut(0), tmp_path / "sweep", tmp_path / "boot.qcow2")


def test_a_directory_may_have_been_another_base_s(recorded: Recording, tmp_path: Path) -> None:
    bootable(recorded, Cut(1), tmp_path / "sweep", tmp_path / "1.qcow2")
    other = tmp_path / "other.qcow2"
    run(["qemu-img", "convert", "-O", "qcow2", recorded.base, other])
    run(["qemu-io", "-c", "write -P 3 5000k 64k", other])
    moved = Recording(base=other, log=recorded.log)
    overlay = bootable(moved, Cut(1), tmp_path / "sweep", tmp_path / "2.qcow2")
    assert as_raw(overlay)[5000 * 1024 :].startswith(b"\3" * 65536)


def test_a_raw_base_is_used_where_it_is(recorded: Recording, tmp_path: Path) -> None:
    raw = tmp_path / "raw-base"
    raw.write_bytes(as_raw(recorded.base))
    as_it_is = Recording(base=raw, log=recorded.log, base_format=DiskFormat.RAW)
    (tmp_path / "sweep").mkdir()
    overlay = bootable(as_it_is, Cut(1), tmp_path / "sweep", tmp_path / "boot.qcow2")
    assert as_raw(overlay)[5 * MIB :].startswith(b"\7" * 102400)
    assert list((tmp_path / "sweep").iterdir()) == []


def test_ranges_are_joined_in_whole_clusters(recorded: Recording) -> None:
    ranges = list(changed(log_of(recorded).entries, 16 * MIB))
    assert all(begin % CLUSTER == 0 and (end % CLUSTER == 0) for begin, end in ranges)
    assert ranges == [
        (5 * MIB, 5 * MIB + 2 * CLUSTER),
        (6 * MIB, 6 * MIB + 2 * CLUSTER),
        (15 * MIB, 16 * MIB),
    ]
    assert list(changed([], MIB)) == []
