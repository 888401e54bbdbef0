# SPDX-License-Identifier: GPL-3.0-only
"""The fingerprint catalogue keeps what was taken, by all that it depends on, and nothing half taken."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.errors import CannotMeasure, HostLacks
from harness.image.fingerprints import find_fingerprint, fingerprint_key, obtain_fingerprint
from harness.image.snapfile import SnapFile
from harness.image.store import Store
from harness.model.fingerprint import Fingerprint
from tests.unit.builders import NEW, OLD, digest
from tests.unit.fingerprints import fingerprint

ONE = dataclasses.replace(fingerprint(OLD), refused=("snap.x.y: seccomp is not stable",))


def snap(name: str) -> SnapFile:
    return SnapFile(name, f"{name}.snap", "app", "1", Path("x"), digest(name), {}, Path("m"))


CORE, BLUEZ, MANAGER = snap("core"), snap("bluez"), snap("network-manager")
KEY = fingerprint_key(CORE, "image", [BLUEZ, MANAGER], ["a:b c:d", "e:f "])


def take() -> Fingerprint:
    return ONE


def refuse() -> Fingerprint:
    raise AssertionError("taken again")


def test_it_is_taken_once_and_found_from_then_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert find_fingerprint(KEY, store) is None
    assert obtain_fingerprint(KEY, take, store) == ONE
    assert obtain_fingerprint(KEY, refuse, store) == ONE
    assert find_fingerprint(KEY, Store(tmp_path)) == ONE


@pytest.mark.parametrize("trouble", [CannotMeasure("the guest panicked"), KeyboardInterrupt()])
def test_one_that_cannot_be_taken_leaves_nothing(tmp_path: Path, trouble: BaseException) -> None:
    store = Store(tmp_path)

    def fail() -> Fingerprint:
        raise trouble

    with pytest.raises(type(trouble)):
        obtain_fingerprint(KEY, fail, store)
    assert find_fingerprint(KEY, store) is None
    assert list((tmp_path / "tmp").iterdir()) == []
    assert obtain_fingerprint(KEY, take, store) == ONE


def test_the_key_is_of_everything_that_it_depends_on() -> None:
    keys = [
        KEY,
        fingerprint_key(snap("other core"), "image", [BLUEZ, MANAGER], ["a:b c:d", "e:f "]),
        fingerprint_key(CORE, "other image", [BLUEZ, MANAGER], ["a:b c:d", "e:f "]),
        fingerprint_key(CORE, "image", [BLUEZ], ["a:b c:d", "e:f "]),
        fingerprint_key(CORE, "image", [BLUEZ, MANAGER], ["a:b c:d"]),
    ]
    assert len(set(keys)) == len(keys)


def test_the_order_of_snaps_and_connections_does_not_matter() -> None:
    assert fingerprint_key(CORE, "image", [MANAGER, BLUEZ], ["e:f ", "a:b c:d"]) == KEY


@pytest.mark.parametrize("text", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"core":1}'])
def test_an_entry_that_cannot_be_read_is_told_with_its_place(tmp_path: Path, text: bytes) -> None:
    store = Store(tmp_path)
    obtain_fingerprint(KEY, take, store)
    (tmp_path / "fingerprints" / KEY / "fingerprint.json").write_bytes(text)
    for read in (lambda: find_fingerprint(KEY, store), lambda: obtain_fingerprint(KEY, refuse, store)):
        with pytest.raises(HostLacks, match="remove that directory") as told:
            read()
        assert KEY in told.value.message


def test_two_cores_have_two_entries(tmp_path: Path) -> None:
    store = Store(tmp_path)
    other = fingerprint_key(snap("newer core"), "image", [BLUEZ, MANAGER], [])
    obtain_fingerprint(KEY, take, store)
    obtain_fingerprint(other, lambda: fingerprint(NEW), store)
    assert find_fingerprint(KEY, store) == ONE
    assert find_fingerprint(other, store) == fingerprint(NEW)
