# SPDX-License-Identifier: GPL-3.0-only
"""Changes of files: events put together by hand, and as root the kernel's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import codec
from harness.model.observation import PolicyKind
from harness.model.occurrence import FileChange, FileChanged, Lost, Occurrence, Source
from harness.probe import fanotify, filewatch
from harness.probe.fanotify import Change, parse_changes

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="watching files needs root")

SYSTEM, HANDLE = b"filesyst", struct.pack("<Ii", 8, 1) + b"\x02\0\0\0\xab\xcd\xef\x01"
BPF = "var/lib/snapd/seccomp/bpf"


def info(kind: int = fanotify.INFO_DFID_NAME, name: bytes = b"snap.a.b.bin\0") -> bytes:
    content = SYSTEM + HANDLE + name
    size = (4 + len(content) + 3) & ~3
    return (struct.pack("<BBH", kind, 0, size) + content).ljust(size, b"\0")


def event(mask: int, pid: int, *infos: bytes) -> bytes:
    return struct.pack("<IBBHQii", 24 + len(b"".join(infos)), 3, 0, 24, mask, -1, pid) + b"".join(infos)


def test_events_name_a_directory_and_a_file_in_it() -> None:
    raw = event(fanotify.FAN_CLOSE_WRITE, 7, info()) + event(fanotify.FAN_DELETE, 8, info(name=b"x\0"))
    assert [vars(change) for change in parse_changes(raw)] == [
        vars(Change(fanotify.FAN_CLOSE_WRITE, 7, SYSTEM + HANDLE, "snap.a.b.bin")),
        vars(Change(fanotify.FAN_DELETE, 8, SYSTEM + HANDLE, "x")),
    ]


def test_further_information_of_other_kinds_is_passed_over() -> None:
    (change,) = parse_changes(event(fanotify.FAN_MOVED_TO, 7, info(kind=1), info(name=b"y\0")))
    assert change.name == "y"


def test_an_overflow_has_no_place() -> None:
    (change,) = parse_changes(event(fanotify.FAN_Q_OVERFLOW, 0))
    assert vars(change) == vars(Change(fanotify.FAN_Q_OVERFLOW, 0, b"", ""))


@given(st.binary(max_size=120), st.integers(0, 200))
def test_no_bytes_make_it_do_worse_than_stop(raw: bytes, cut: int) -> None:
    parse_changes(raw)
    parse_changes(event(fanotify.FAN_DELETE, 8, info(), raw))
    assert len(parse_changes((event(fanotify.FAN_DELETE, 8, info()) + raw)[:cut])) <= 3


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/var/lib/snapd/system-key", True),
        ("/var/lib/snapd/state.json", False),
        ("/var/lib/snapd/seccomp/bpf/snap.a.b.src", True),
        ("/var/lib/snapd/seccomp/bpf/snap.a.b.src.XyZ~", False),
        ("/var/lib/snapd/apparmor/profiles/snap.a.b", True),
        ("/var/lib/snapd/apparmor/profiles/snap.a.b.XyZ~", False),
        ("/var/cache/apparmor/0a1b.0/snap.a.b", True),
        ("/var/cache/apparmor/0a1b.0/usr.bin.man", False),
        ("/var/cache/apparmor/snap.a.b", False),
        ("/run/snapd/ns/snap.a.mnt", True),
        ("/run/snapd/ns/snap.a.lock", False),
        ("/run/udev/data/b7:0", False),
    ],
)
def test_files_that_matter(path: str, answer: bool) -> None:
    assert filewatch.matters(path) is answer


class Guest:
    """A watched root directory, and this process, which changes it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.bpf = top / BPF
        self.bpf.mkdir(parents=True)
        self.watch = filewatch.FileWatch(lambda: 5, str(top))

    def told(self) -> list[FileChanged]:
        return [change for change in self.all_told() if isinstance(change, FileChanged)]

    def all_told(self) -> list[Occurrence]:
        return [codec.decode(Occurrence, one) for one in self.watch.read()]


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Guest]:
    made = Guest(tmp_path)
    yield made
    made.watch.close()


@needs_root
def test_a_file_that_is_renamed_into_place_is_written(guest: Guest) -> None:
    temporary = guest.bpf / "snap.a.b.bin.XyZ~"
    temporary.write_bytes(b"program")
    temporary.rename(guest.bpf / "snap.a.b.bin")
    (change,) = guest.told()
    digest = hashlib.sha256(b"program").hexdigest()
    assert (change.change, change.path, change.pid) == (
        FileChange.WRITTEN,
        f"/{BPF}/snap.a.b.bin",
        os.getpid(),
    )
    assert (change.kind, change.name) == (PolicyKind.SECCOMP_BIN, "snap.a.b")
    assert (change.sha256, change.parts) == (digest, {"whole": digest})


@needs_root
def test_a_file_that_goes_is_deleted(guest: Guest) -> None:
    file = guest.bpf / "snap.a.b.src"
    file.write_text("read\n")
    assert len(guest.told()) == 1
    file.unlink()
    (change,) = guest.told()
    assert (change.change, change.name, change.sha256) == (FileChange.DELETED, "snap.a.b", "")


@needs_root
def test_a_file_in_a_directory_that_is_made_later_is_seen(guest: Guest) -> None:
    later = guest.top / "var/cache/apparmor/0a1b.0"
    later.mkdir(parents=True)
    (later / "snap.a.b").write_bytes(b"compiled")
    (change,) = guest.told()
    assert change.path == "/var/cache/apparmor/0a1b.0/snap.a.b"


@needs_root
def test_what_was_written_and_deleted_at_once_ends_deleted(guest: Guest) -> None:
    file = guest.top / "var/lib/snapd/system-key"
    file.write_text("{}")
    file.unlink()
    assert [(c.change, c.kind) for c in guest.told()] == [
        (FileChange.WRITTEN, None),
        (FileChange.DELETED, None),
    ]


@needs_root
def test_a_directory_that_is_put_in_place_hides_what_was_in_it(guest: Guest) -> None:
    aside = guest.top / "aside"
    guest.bpf.rename(aside)
    aside.rename(guest.bpf)
    lost = [one for one in guest.all_told() if isinstance(one, Lost)]
    assert [one.source for one in lost] == [Source.FILES]
    (guest.bpf / "snap.a.b.src").write_text("read\n")
    assert len(guest.told()) == 1


@needs_root
def test_a_link_or_a_pipe_in_a_files_place_is_not_followed(guest: Guest) -> None:
    secret = guest.top / "secret"
    secret.write_text("x")
    link, pipe = guest.top / "link", guest.top / "pipe"
    link.symlink_to(secret)
    link.rename(guest.bpf / "snap.a.b.bin")
    os.mkfifo(pipe)
    pipe.rename(guest.bpf / "snap.a.b.src")
    assert [change.name for change in guest.told()] == ["snap.a.b", "snap.a.b"]
    assert all(change.sha256 != hashlib.sha256(b"x").hexdigest() for change in guest.told())


@needs_root
def test_other_files_are_not_told(guest: Guest) -> None:
    (guest.top / "var/lib/snapd/state.json").write_text("{}")
    (guest.top / "elsewhere").write_text("x")
    shutil.rmtree(guest.bpf)
    assert guest.all_told() == []
