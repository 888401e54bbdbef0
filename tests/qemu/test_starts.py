# SPDX-License-Identifier: GPL-3.0-only
"""Starts in the store: found by all that they depend on, whole or not there, and movable with it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.errors import CannotMeasure, HostLacks
from harness.host.process import run
from harness.image.starts import KEPT, Carried, Start, disk_in, keep_beside_disk, obtain_start, start_key
from harness.image.store import Store
from harness.model.plan import Boot, InstallSnap, PlannedStep, SnapRef, SwitchOff
from harness.model.spans import Span
from harness.qemu.disk import create_overlay

CORE = SnapRef("core", "2.57.6", "core.snap")
STEPS = (
    PlannedStep("1", "boot", Boot(), 60.0),
    PlannedStep("2", "install core 2.57.6", InstallSnap(CORE), 60.0),
    PlannedStep("3", "switch off", SwitchOff(), 60.0),
)
SNAPS = {"core.snap": "sha"}
MACHINE = {"cpus": 2}
KEY = start_key(STEPS, "image", SNAPS, MACHINE)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def image(store: Store) -> Path:
    disk = store.root / "images" / "one" / "disk.qcow2"
    disk.parent.mkdir(parents=True)
    run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"])
    return disk


def taken(key: str, image: Path, store: Store, before: Start | None = None) -> Start:
    def take(place: Path) -> timedelta:
        create_overlay(before.disk if before else image, disk_in(place), needed_mib=1)
        where = "64k" if before else "0"
        run(["qemu-io", "-f", "qcow2", "-c", f"write -P 7 {where} 512", disk_in(place)])
        return before.behind if before else timedelta()

    return obtain_start(key, image, take, store)


def refuse(_: Path) -> timedelta:
    raise AssertionError("taken again")


def test_it_is_taken_once_and_found_from_then_on(store: Store, image: Path) -> None:
    first = taken(KEY, image, store)
    assert obtain_start(KEY, image, refuse, Store(store.root)) == first
    assert first.made.endswith("Z")


def test_one_that_cannot_be_taken_leaves_nothing(store: Store, image: Path) -> None:
    def fail(place: Path) -> timedelta:
        create_overlay(image, disk_in(place), needed_mib=1)
        raise CannotMeasure("the guest panicked")

    with pytest.raises(CannotMeasure, match="panicked"):
        obtain_start(KEY, image, fail, store)
    assert not store.has("starts", KEY)
    assert list((store.root / "tmp").iterdir()) == []
    assert taken(KEY, image, store).disk.exists()


def test_one_that_had_not_settled_is_whole_and_for_its_maker_alone(store: Store, image: Path) -> None:
    def take(place: Path) -> timedelta:
        create_overlay(image, disk_in(place), needed_mib=1)
        keep_beside_disk(Carried({"agent.pyc": b"code"}, ("snap.a.b.service waits in snap",)), place)
        return timedelta()

    busy = obtain_start(KEY, image, take, store)
    assert (busy.key, busy.bytecode) == (KEY, {"agent.pyc": b"code"})
    run(["qemu-io", "-f", "qcow2", "-c", "read 0 512", busy.disk])
    calm = taken(KEY, image, store)
    assert calm.place != busy.place
    assert busy.disk.exists()
    assert obtain_start(KEY, image, refuse, store) == calm


def test_a_store_that_was_moved_still_has_it_whole(store: Store, image: Path, tmp_path: Path) -> None:
    taken(KEY, image, store)
    store.root.rename(tmp_path / "elsewhere")
    moved = obtain_start(KEY, image, refuse, Store(tmp_path / "elsewhere"))
    overlay = create_overlay(moved.disk, tmp_path / "overlay.qcow2", needed_mib=1)
    read = run(["qemu-io", "-f", "qcow2", "-c", "read -P 7 0 512", "-c", "read -P 0 512 512", overlay])
    assert b"Pattern verification failed" not in read.stdout + read.stderr


def test_one_that_goes_on_from_another_needs_it_no_longer(store: Store, image: Path, tmp_path: Path) -> None:
    before = taken(KEY, image, store)
    later = taken("later", image, store, before)
    shutil.rmtree(before.place)
    overlay = create_overlay(later.disk, tmp_path / "overlay.qcow2", needed_mib=1)
    patterns = ("read -P 7 0 512", "read -P 7 64k 512", "read -P 0 1k 512")
    read = run(["qemu-io", "-f", "qcow2", *(word for each in patterns for word in ("-c", each)), overlay])
    assert b"Pattern verification failed" not in read.stdout + read.stderr


def test_the_clock_goes_on_from_the_older_one(store: Store, image: Path) -> None:
    before = replace(taken(KEY, image, store), made="2026-01-02T03:04:05Z")
    made = datetime.fromisoformat(taken("later", image, store, before).made)
    assert timedelta() <= made - datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) < timedelta(minutes=1)


def test_the_least_recently_used_go(store: Store, image: Path) -> None:
    used = [taken(f"key{number}", image, store) for number in range(KEPT)]
    for place, start in enumerate(used):
        os.utime(start.place, (place + 1, place + 1))
    obtain_start("key0", image, refuse, store)
    taken("one more", image, store)
    there = {place.name for place in (store.root / "starts").iterdir()}
    assert there == {start.key for start in used} - {"key1"} | {"one more"}


def test_a_damaged_one_is_named_with_what_to_do(store: Store, image: Path) -> None:
    (taken(KEY, image, store).place / "made.json").write_text("{")
    with pytest.raises(HostLacks, match=KEY) as caught:
        obtain_start(KEY, image, refuse, store)
    assert "the next run makes it again" in caught.value.hint


def test_the_key_is_of_everything_that_it_depends_on() -> None:
    other = replace(STEPS[1], action=InstallSnap(replace(CORE, entry="2.68.3")))
    keys = {
        KEY,
        start_key((STEPS[0], other, STEPS[2]), "image", SNAPS, MACHINE),
        start_key(STEPS[1:], "image", SNAPS, MACHINE),
        start_key(STEPS, "another", SNAPS, MACHINE),
        start_key(STEPS, "image", {"core.snap": "other"}, MACHINE),
        start_key(STEPS, "image", SNAPS, {"cpus": 4}),
    }
    assert len(keys) == 6


def test_where_a_step_is_written_and_how_long_it_may_take_do_not_matter() -> None:
    elsewhere = tuple(replace(step, timeout=1.0, span=Span("s.yaml", 3, 1)) for step in STEPS)
    assert start_key(elsewhere, "image", SNAPS, MACHINE) == KEY
