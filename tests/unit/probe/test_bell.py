# SPDX-License-Identifier: GPL-3.0-only
"""What wakes the witness, in a directory that looks like tracefs and by the kernel's own globs."""

from __future__ import annotations

import fnmatch
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.probe.bell import EVENT, INSTANCE, PATHS, Bell


class Tracefs:
    """A directory in tracefs's place, with two CPUs; `write` is the kernel's side of a buffer."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.place = top / INSTANCE
        (self.place / EVENT).mkdir(parents=True)
        for name in ("buffer_size_kb", "buffer_percent", f"{EVENT}/filter", f"{EVENT}/enable"):
            (self.place / name).touch()
        for cpu in (0, 1):
            (self.place / f"per_cpu/cpu{cpu}").mkdir(parents=True)
            os.mkfifo(self.place / f"per_cpu/cpu{cpu}/trace_pipe_raw")
        self.bell = Bell(str(top))
        self._buffers = [os.open(self._pipe(cpu), os.O_WRONLY | os.O_NONBLOCK) for cpu in (0, 1)]

    def _pipe(self, cpu: int) -> Path:
        return self.place / f"per_cpu/cpu{cpu}/trace_pipe_raw"

    def said(self, name: str) -> str:
        return (self.place / name).read_text()

    def write(self, cpu: int, raw: bytes) -> None:
        os.write(self._buffers[cpu], raw)

    def rings(self) -> bool:
        return bool(select.select(self.bell.descriptors, [], [], 0)[0])

    def close(self) -> None:
        for descriptor in (*self._buffers, *self.bell.descriptors):
            os.close(descriptor)


@pytest.fixture
def tracefs(tmp_path: Path) -> Iterator[Tracefs]:
    made = Tracefs(tmp_path)
    yield made
    made.close()


def test_it_rings_until_it_is_silenced_on_every_cpu(tracefs: Tracefs) -> None:
    assert not tracefs.rings()
    tracefs.write(0, b"a" * 5000)
    tracefs.write(1, b"b")
    assert tracefs.rings()
    tracefs.bell.silence()
    assert not tracefs.rings()
    tracefs.write(1, b"c")
    assert tracefs.rings()


def test_the_kernel_is_told_to_ring_for_some_programs_at_once(tracefs: Tracefs) -> None:
    assert tracefs.said("buffer_percent") == "0"
    assert tracefs.said(f"{EVENT}/enable") == "1"
    assert tracefs.said(f"{EVENT}/filter") == " || ".join(f'filename ~ "{path}"' for path in PATHS)


@pytest.mark.parametrize(
    ("program", "rings"),
    [
        ("/usr/bin/snap", True),
        ("/usr/lib/snapd/snap-confine", True),
        ("/snap/core/x1/usr/lib/snapd/snap-exec", True),
        ("/snap/bluez/x1/bin/bluez", True),
        ("/dev/fd/7", True),
        ("/proc/self/fd/7", True),
        ("/sbin/apparmor_parser", True),
        ("/usr/bin/udevadm", False),
        ("/bin/sh", False),
        ("/usr/lib/systemd/systemd-udevd", False),
    ],
)
def test_it_rings_for_what_must_be_read_while_it_lives(program: str, rings: bool) -> None:
    assert any(fnmatch.fnmatchcase(program, path) for path in PATHS) is rings


def test_a_kernel_without_instances_has_no_bell(tmp_path: Path) -> None:
    (tmp_path / "instances").write_text("not a directory")
    with pytest.raises(OSError, match="instances"):
        Bell(str(tmp_path))
