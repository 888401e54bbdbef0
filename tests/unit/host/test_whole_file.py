# SPDX-License-Identifier: GPL-3.0-only
"""A file is there whole or as it was."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.errors import HostLacks
from harness.host.whole_file import make_durable, write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_whole(path, "old")
    write_whole(path, "new \u2026")
    assert path.read_text(encoding="utf-8") == "new \u2026"
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_a_reader_of_the_old_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_whole(path, "old")
    with path.open() as reader:
        write_whole(path, "new")
        assert reader.read() == "old"


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "text"


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["no/such/directory/page.html", "file/page.html", "directory"])
def test_what_cannot_be_written_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    with pytest.raises(HostLacks, match=r"cannot write .*: [A-Z]"):
        write_whole(tmp_path / name, "text")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["directory", "file"]


def test_a_full_disk_leaves_what_was_there() -> None:
    with pytest.raises(HostLacks, match="No space left"):
        write_whole(Path("/dev/full"), "text")


def test_what_is_durable_is_flushed_before_it_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[bytes] = []

    def fsync(descriptor: int) -> None:
        assert not (tmp_path / "file").exists()
        flushed.append(os.pread(descriptor, 100, 0))

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(tmp_path / "other", "text")
    assert flushed == []
    write_whole(tmp_path / "file", "text", durable=True)
    assert flushed == [b"text"]


def test_files_are_made_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"text")
    make_durable([tmp_path / "file"])

    def fsync(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(HostLacks, match=r"cannot write .*/file to the disk: Input/output error"):
        make_durable([tmp_path / "file"])
