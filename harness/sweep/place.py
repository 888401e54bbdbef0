# SPDX-License-Identifier: GPL-3.0-only
"""Where a run that is recorded keeps what a sweep needs, in a directory of its own.

The disk is kept as a plain copy: what it was made from lies in the cache, which may forget it while the
states are booted. The copy has holes, so it takes the space of what is on the disk. It and the log are kept
until the sweep is complete, or its user deletes the directory: with them, one that ended early can go on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HostLacks, RecordUnusable
from harness.host.process import CommandFailed, run
from harness.host.rundir import require_free_space
from harness.host.whole_file import make_durable, write_whole
from harness.model import codec
from harness.qemu.command import DiskFormat
from harness.qemu.disk import MIB, OVERLAY_FREE_MIB
from harness.sweep.recording import Recording, identity

DIRECTORY = "sweep"
_MARK = "recorded.json"
_BYTECODE = "bytecode"
_FORMAT = 1
_BLOCK = 512  # bytes: st_blocks counts these (stat(2))
LOG_MIB = 1024
"""A log holds all that is written; an upgrade and a revert write 0.3 to 0.6 GiB."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A recording that is over and lies whole on the host's disk: which files those are, and on what start.

    `start` is the key of the start that it went on from.
    """

    format: int
    start: str
    files: str


@dataclass(frozen=True, slots=True)
class SweepPlace:
    """The directory `sweep` in that of the run; `of` gives it, whether or not anything is there."""

    path: Path

    @classmethod
    def of(cls, run_directory: Path) -> SweepPlace:
        """The one of a run."""
        return cls(run_directory / DIRECTORY)

    @property
    def base(self) -> Path:
        """The disk as it was when the log began."""
        return self.path / "base.raw"

    @property
    def log(self) -> Path:
        """What was written to it since."""
        return self.path / "writes"

    @property
    def recording(self) -> Recording:
        """Both."""
        return Recording(base=self.base, log=self.log, base_format=DiskFormat.RAW)

    @property
    def bytecode(self) -> Mapping[str, bytes]:
        """The witness's, by file name."""
        return {path.name: path.read_bytes() for path in (self.path / _BYTECODE).glob("*")}

    def state(self, number: int) -> Path:
        """Where the disk of a state is made."""
        return self.path / f"state-{number}.qcow2"

    def prepare(self, disk: Path, bytecode: Mapping[str, bytes]) -> None:
        """Copy the qcow2 `disk`, and begin an empty log.

        :raise HostLacks: there is no room, or no QEMU.
        """
        try:
            (self.path / _BYTECODE).mkdir(parents=True)
            for name, content in bytecode.items():
                (self.path / _BYTECODE / name).write_bytes(content)
            run(["qemu-img", "convert", "-f", DiskFormat.QCOW2.value, "-O", "raw", disk, self.base])
            self.log.touch(exist_ok=False)
        except CommandFailed as error:
            raise HostLacks(f"cannot copy the disk to sweep over: {error.stderr_tail}") from error
        except OSError as error:
            raise HostLacks(f"cannot write to {self.path}: {error.strerror}") from error

    def settle(self, start: str) -> None:
        """Note that the recording is over, once all of it is on the host's disk; `start` is its start's key.

        :raise HostLacks: there is no room, or the disk fails.
        """
        make_durable((self.base, self.log, *(self.path / _BYTECODE).glob("*")))
        settled = Settled(_FORMAT, start, identity(self.recording))
        write_whole(self.path / _MARK, codec.dumps(settled) + "\n", durable=True)

    @property
    def settled(self) -> Settled | None:
        """What was noted; None where there is nothing, or not all, to go on with.

        :raise RecordUnusable: the note cannot be read.
        """
        path = self.path / _MARK
        if not all(each.exists() for each in (path, self.base, self.log, self.path / _BYTECODE)):
            return None
        try:
            settled: Settled = codec.loads(Settled, path.read_bytes())
        except (OSError, codec.Undecodable) as error:
            raise RecordUnusable(f"cannot read {path}: {error}") from error
        if settled.format != _FORMAT:
            raise RecordUnusable(f"cannot read {path}: format {settled.format}, not {_FORMAT}")
        return settled

    @property
    def is_unchanged(self) -> bool:
        """Whether the files are those of which it was noted."""
        return self.settled is not None and self.settled.files == identity(self.recording)

    @property
    def mib(self) -> int:
        """How much of the host's disk all of it takes, holes not counted; in MiB, rounded up."""
        taken = sum(path.lstat().st_blocks for path in self.path.rglob("*"))
        return -(-taken * _BLOCK // MIB)

    def tidy(self) -> None:
        """Delete what is made for a moment, or for one boot."""
        passing = (path for path in self.path.glob("*.raw") if path != self.base)
        for path in (*self.path.glob("state-*.qcow2"), *passing):
            path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete what is large and what only booting needs; what was found of each state stays."""
        self.tidy()
        for path in (self.path / _MARK, self.base, self.log):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.path / _BYTECODE, ignore_errors=True)


def require_room(runs: Path, disk: Path) -> None:
    """:raise HostLacks: the file system of the run directories has no room to sweep over this qcow2."""
    where = next(path for path in (runs.absolute(), *runs.absolute().parents) if path.exists())
    told = json.loads(run(["qemu-img", "info", "--output=json", disk]).stdout)
    whole = int(told["virtual-size"]) // MIB
    what = f"a recording to sweep over (the disk {whole}, its log {LOG_MIB}, what a boot writes)"
    require_free_space(where, whole + LOG_MIB + OVERLAY_FREE_MIB, what=what)
