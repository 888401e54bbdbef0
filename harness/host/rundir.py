# SPDX-License-Identifier: GPL-3.0-only
"""Run directories: one per run, made in one step, locked for as long as the run lives."""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import CannotMeasure, HostLacks

PLAN = "plan.json"
EVENTS = "events.jsonl"
WITNESS = "witness.jsonl"
CONSOLE = "console.log"
QEMU_LOG = "qemu.log"
VERDICT = "verdict.json"
PAGE = "report.html"
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The border between measuring and judging; the names in it are the same for every run."""

    path: Path

    @property
    def plan(self) -> Path:
        return self.path / PLAN

    @property
    def events(self) -> Path:
        return self.path / EVENTS

    @property
    def witness(self) -> Path:
        return self.path / WITNESS

    @property
    def console(self) -> Path:
        return self.path / CONSOLE

    @property
    def qemu_log(self) -> Path:
        return self.path / QEMU_LOG

    @property
    def verdict(self) -> Path:
        return self.path / VERDICT

    @property
    def page(self) -> Path:
        return self.path / PAGE


@contextmanager
def new_run(parent: Path, scenario: str) -> Iterator[RunDirectory]:
    """Make `<parent>/<UTC stamp>-<scenario>-<n>` and hold its lock for the block.

    `n` counts from 1 and is the first that nobody else has: runs that start in the same second,
    in any number of processes, never share a directory.

    :raise HostLacks: the place cannot be written.
    """
    stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{_file_name(scenario)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        path = _make_first_free(parent, stem)
    except OSError as error:
        raise _unwritable(parent, error) from error
    with locked(path):
        yield RunDirectory(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the directory's lock; the kernel drops it when the process ends in whatever way.

    :raise CannotMeasure: another process holds it.
    :raise HostLacks: it cannot be written.
    """
    try:
        opened = (path / LOCK).open("a+")
    except OSError as error:
        raise HostLacks(f"cannot lock {path}: {error.strerror}") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _in_use(path, file.read().strip()) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def is_locked(path: Path) -> bool:
    """Whether a run is going on in the directory."""
    try:
        with (path / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def require_free_space(where: Path, mib: int, *, what: str) -> None:
    """:raise HostLacks: the file system of `where` has less than `mib` MiB for this user."""
    free = shutil.disk_usage(where).free // (1024 * 1024)
    if free < mib:
        raise HostLacks(
            f"cannot make {what}: {where} has {free} MiB free, {mib} MiB are needed",
            hint="free some space, or give a directory on another file system",
        )


def _make_first_free(parent: Path, stem: str) -> Path:
    for number in itertools.count(1):
        path = parent / f"{stem}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("itertools.count is endless")


def _file_name(scenario: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", scenario).strip("._-")[:80] or "run"


def _unwritable(parent: Path, error: OSError) -> HostLacks:
    return HostLacks(
        f"cannot make a run directory in {parent}: {error.strerror}",
        hint="give a directory that you can write to",
    )


def _in_use(path: Path, holder: str) -> CannotMeasure:
    return CannotMeasure(f"cannot use {path}: process {holder or 'unknown'} is using it")
