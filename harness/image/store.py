# SPDX-License-Identifier: GPL-3.0-only
"""A content-addressed store: what is in it is complete, and two builds of one thing become one.

A build works in a temporary directory under the store, holding a lock on its key. Only an atomic
rename makes the result visible, so an interrupted build leaves nothing that is used. The kernel
drops a dead process's flock(2), so a temporary directory whose lock is free belongs to nobody.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import CannotMeasure, HostLacks
from harness.host import process

MIB = 1 << 20
_FULL = 16 * MIB


def default_root() -> Path:
    """$REVERT_SAFETY_CACHE, else revert-safety below the XDG cache directory."""
    if chosen := os.environ.get("REVERT_SAFETY_CACHE"):
        return Path(chosen).absolute()
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(caches) / "revert-safety"


def free_bytes(path: Path) -> int:
    """What an unprivileged user may still write on the file system of `path`."""
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize


def quiet(message: str) -> None:
    """Tell nobody."""


class Store:
    """Built things by kind and key, below `root` (default: `default_root()`).

    :raise HostLacks: the directory cannot be made.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        tell: Callable[[str], None] = quiet,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.root = (root or default_root()).absolute()
        self._tell = tell
        self._free = free
        try:
            for part in ("tmp", "locks", "pool"):
                (self.root / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostLacks(
                f"cannot use the cache directory {self.root}: {error.strerror}",
                hint="give another one in REVERT_SAFETY_CACHE",
            ) from error

    def has(self, kind: str, key: str) -> Path | None:
        """The finished directory of `key`, or None."""
        path = self.root / kind / key
        return path if path.is_dir() else None

    def obtain(self, kind: str, key: str, make: Callable[[Path], None], *, needs: int) -> Path:
        """The directory of `key`, made by `make(directory)` unless it is there already.

        `needs` is how many bytes the build takes on disk at its worst. A second caller waits for
        the first one and uses what it made; when the first one failed, the second one builds.

        :raise HostLacks: less than `needs` is free, or the disk fills up.
        """
        if there := self.has(kind, key):
            return there
        with self.lock(f"{kind}-{key}", waiting_for=f"{kind} {key[:12]}"):
            return self.has(kind, key) or self._build(kind, key, make, needs)

    def _build(self, kind: str, key: str, make: Callable[[Path], None], needs: int) -> Path:
        self._sweep()
        self.require(needs, f"build {kind} {key[:12]}")
        work = self.root / "tmp" / f"{kind}-{key}"
        discard(work)
        work.mkdir()
        try:
            with self._told_when_full():
                make(work)
                return self._publish(work, self.root / kind / key)
        finally:
            discard(work)

    @contextmanager
    def lock(self, name: str, *, waiting_for: str) -> Iterator[None]:
        """Hold the lock `name`; says so once when another process has it."""
        with (self.root / "locks" / f"{name}.lock").open("w") as stream:
            if not _taken(stream.fileno()):
                self._tell(f"waiting for {waiting_for}, which another process is making")
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def require(self, needs: int, purpose: str) -> None:
        """Check that `needs` bytes are free.

        :raise HostLacks: they are not; names the directory, the need and what is there.
        """
        there = self._free(self.root)
        if there < needs:
            raise HostLacks(
                f"cannot {purpose}: {self.root} has {there // MIB} MiB free"
                f" and {needs // MIB} MiB are needed",
                hint="free some space, or give a directory on another disk in REVERT_SAFETY_CACHE",
            )

    def _sweep(self) -> None:
        """Remove what dead builds left behind."""
        for left in (self.root / "tmp").iterdir():
            with (self.root / "locks" / f"{left.name}.lock").open("w") as stream:
                if _taken(stream.fileno()):
                    discard(left)

    @contextmanager
    def _told_when_full(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise self._full() from error
        except process.CommandFailed as error:
            if self._free(self.root) > _FULL:
                raise
            raise self._full() from error

    def _full(self) -> CannotMeasure:
        return HostLacks(
            f"cannot finish the build: the disk of {self.root} is full",
            hint="free some space, or give a directory on another disk in REVERT_SAFETY_CACHE",
        )

    def _publish(self, work: Path, final: Path) -> Path:
        final.parent.mkdir(exist_ok=True)
        for path in (*work.rglob("*"), work):
            if path.is_file() or path.is_dir():
                _sync(path)
        work.rename(final)
        _sync(final.parent)
        return final


def discard(path: Path) -> None:
    """Remove a directory tree, also one whose files belong to our subordinate user ids."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        with suppress(CannotMeasure):
            process.run(["unshare", "--map-auto", "--map-root-user", "rm", "-rf", path])


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
