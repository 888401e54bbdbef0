# SPDX-License-Identifier: GPL-3.0-only
"""The store keeps only what was finished, and builds a thing once."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from harness.errors import HostLacks
from harness.image.digest import key_of
from harness.image.store import MIB, Store, default_root

KEY = key_of(kind="test", value=1)


def write_answer(directory: Path) -> None:
    (directory / "answer").write_text("42")


def refuse(directory: Path) -> None:
    raise AssertionError(f"built again in {directory}")


def leftovers(store: Store) -> list[str]:
    return [path.name for path in (store.root / "tmp").iterdir()]


def test_a_second_obtain_uses_what_the_first_one_made(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.obtain("things", KEY, write_answer, needs=0)
    assert store.obtain("things", KEY, refuse, needs=0) == first
    assert (first / "answer").read_text() == "42"
    assert leftovers(store) == []


@pytest.mark.parametrize("trouble", [ValueError("broken"), KeyboardInterrupt()])
def test_a_build_that_fails_or_is_interrupted_leaves_nothing(tmp_path: Path, trouble: BaseException) -> None:
    store = Store(tmp_path)

    def fail(directory: Path) -> None:
        write_answer(directory)
        raise trouble

    with pytest.raises(type(trouble)):
        store.obtain("things", KEY, fail, needs=0)
    assert store.has("things", KEY) is None
    assert leftovers(store) == []


def test_what_a_killed_build_left_is_neither_used_nor_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key in (KEY, key_of(kind="test", value=2)):
        left = tmp_path / "tmp" / f"things-{key}"
        left.mkdir()
        (left / "half").write_text("of it")
    place = store.obtain("things", KEY, write_answer, needs=0)
    assert [path.name for path in place.iterdir()] == ["answer"]
    assert leftovers(store) == []


def test_a_build_under_way_is_not_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def build_another(directory: Path) -> None:
        store.obtain("things", key_of(kind="test", value=2), write_answer, needs=0)
        write_answer(directory)

    assert (store.obtain("things", KEY, build_another, needs=0) / "answer").exists()


def test_a_second_build_at_the_same_time_waits_and_says_for_what(tmp_path: Path) -> None:
    told: list[str] = []
    building, waiting = threading.Event(), threading.Event()
    made: list[Path] = []

    def tell(message: str) -> None:
        told.append(message)
        waiting.set()

    def slowly(directory: Path) -> None:
        building.set()
        assert waiting.wait(30)
        write_answer(directory)

    def second() -> None:
        assert building.wait(30)
        made.append(Store(tmp_path, tell=tell).obtain("things", KEY, refuse, needs=0))

    other = threading.Thread(target=second)
    other.start()
    first = Store(tmp_path).obtain("things", KEY, slowly, needs=0)
    other.join(30)
    assert made == [first]
    assert told == [f"waiting for things {KEY[:12]}, which another process is making"]


def test_too_little_space_is_said_before_anything_is_built(tmp_path: Path) -> None:
    store = Store(tmp_path, free=lambda _: 3 * MIB)
    with pytest.raises(HostLacks, match=rf"{tmp_path} has 3 MiB free and 700 MiB are needed"):
        store.obtain("things", KEY, refuse, needs=700 * MIB)


def test_a_disk_that_fills_up_is_what_the_host_lacks(tmp_path: Path) -> None:
    def fill(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(HostLacks, match="is full"):
        Store(tmp_path).obtain("things", KEY, fill, needs=0)


def test_a_store_that_cannot_be_made_names_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostLacks, match=r"cannot use the cache directory .*/file/below"):
        Store(tmp_path / "file" / "below")


def test_the_root_is_the_users_choice_else_the_xdg_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.delenv("REVERT_SAFETY_CACHE", raising=False)
    assert default_root() == Path("/caches/revert-safety")
    monkeypatch.setenv("REVERT_SAFETY_CACHE", "/elsewhere")
    assert default_root() == Path("/elsewhere")
