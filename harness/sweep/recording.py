# SPDX-License-Identifier: GPL-3.0-only
"""The files of one recorded run: the disk as it was before, and the log of what was written to it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.cut.blocks import Contents
from harness.cut.partitions import file_system
from harness.cut.write_log import Read, WriteLog, parse
from harness.errors import HostLacks, Mistake, RecordUnusable
from harness.host.process import CommandFailed, run
from harness.qemu.command import DiskFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A run whose disk had a write log.

    `base` is the disk as it was when the log began, on which nobody writes any more: of a run's overlay it
    is the image below it, when the log has all that was written to the overlay. `partition` is where the
    file system with the policy begins, in bytes, if the disk has more than one.
    """

    base: Path
    log: Path
    base_format: DiskFormat = DiskFormat.QCOW2
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording that is being read; `raw` is the base as a plain file."""

    recording: Recording
    raw: Path
    contents: Contents
    log: WriteLog
    read_log: Read


@contextmanager
def opened(recording: Recording, directory: Path) -> Iterator[Opened]:
    """The recording, read through a plain copy of its base in `directory`, which is made once and kept.

    :raise Mistake: a file is not there, or the disk has not one ext4 file system.
    :raise HostLacks: there is no space, or no QEMU.
    :raise RecordUnusable: the log is none.
    """
    for path in (recording.base, recording.log):
        if not path.is_file():
            raise Mistake(f"cannot sweep: there is no file {path}")
    raw = _plain(recording, directory)
    with ExitStack() as stack:
        read_base = stack.enter_context(_reading(raw))
        read_log = stack.enter_context(_reading(recording.log))
        size = raw.stat().st_size
        try:
            log = parse(read_log, recording.log.stat().st_size, size)
        except RecordUnusable as error:
            raise RecordUnusable(f"{error.message}: {recording.log}", hint=error.hint) from error
        part = file_system(read_base, size, recording.partition)
        yield Opened(recording, raw, Contents(read_base, read_log, part), log, read_log)


def count_entries(recording: Recording) -> int:
    """How many entries the log has by now, also while QEMU writes it: names a moment for a sweep.

    :raise Mistake: it is not there.
    """
    try:
        with _reading(recording.log) as read:
            return len(parse(read, recording.log.stat().st_size, 1 << 63).entries)
    except FileNotFoundError:
        raise Mistake(f"cannot read the log of writes: there is no file {recording.log}") from None
    except RecordUnusable:
        if recording.log.stat().st_size == 0:
            return 0
        raise


def _plain(recording: Recording, directory: Path) -> Path:
    if recording.base_format is DiskFormat.RAW:
        return recording.base
    # Named by what it is a copy of: a directory may have been another recording's.
    name = hashlib.sha256(json.dumps([_facts(recording.base), recording.base_format]).encode()).hexdigest()
    raw = directory / f"base-{name[:16]}.raw"
    if raw.exists():
        return raw
    unfinished = raw.with_suffix(".new")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        run(["qemu-img", "convert", "-f", recording.base_format, "-O", "raw", recording.base, unfinished])
        unfinished.replace(raw)
    except CommandFailed as error:
        raise HostLacks(f"cannot make a plain disk of {recording.base}: {error.stderr_tail}") from error
    except OSError as error:
        raise HostLacks(f"cannot write to {directory}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return raw


def identity(recording: Recording) -> str:
    """Which recording this is: its files, and that they are what they were, wherever they lie now."""
    files = [[path.name, *_facts(path)[1:]] for path in (recording.base, recording.log)]
    return json.dumps([files, recording.base_format, recording.partition])


def _facts(path: Path) -> list[str | int]:
    stat = path.stat()
    return [str(path.absolute()), stat.st_size, stat.st_mtime_ns]


@contextmanager
def _reading(path: Path) -> Iterator[Read]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield lambda offset, length: os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
