# SPDX-License-Identifier: GPL-3.0-only
"""Where a run that is recorded keeps what a sweep needs, in a directory of its own.

The disk is kept as a plain copy: what it was made from lies in the cache, which may forget it while the
states are booted. The copy has holes, so it takes the space of what is on the disk.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HostLacks
from harness.host.process import CommandFailed, run
from harness.host.rundir import require_free_space
from harness.qemu.command import DiskFormat
from harness.qemu.disk import MIB, OVERLAY_FREE_MIB
from harness.sweep.recording import Recording

DIRECTORY = "sweep"
LOG_MIB = 1024
"""A log holds all that is written; an upgrade and a revert write 0.3 to 0.6 GiB."""


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
        return {path.name: path.read_bytes() for path in (self.path / "bytecode").glob("*")}

    def state(self, number: int) -> Path:
        """Where the disk of a state is made."""
        return self.path / f"state-{number}.qcow2"

    def prepare(self, disk: Path, bytecode: Mapping[str, bytes]) -> None:
        """Copy the qcow2 `disk`, and begin an empty log.

        :raise HostLacks: there is no room, or no QEMU.
        """
        try:
            (self.path / "bytecode").mkdir(parents=True)
            for name, content in bytecode.items():
                (self.path / "bytecode" / name).write_bytes(content)
            run(["qemu-img", "convert", "-f", DiskFormat.QCOW2.value, "-O", "raw", disk, self.base])
            self.log.touch(exist_ok=False)
        except CommandFailed as error:
            raise HostLacks(f"cannot copy the disk to sweep over: {error.stderr_tail}") from error
        except OSError as error:
            raise HostLacks(f"cannot write to {self.path}: {error.strerror}") from error

    def discard(self) -> None:
        """Delete what is large and what only booting needs; what was found of each state stays."""
        for path in (self.base, self.log, *self.path.glob("state-*.qcow2"), *self.path.glob("*.raw")):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.path / "bytecode", ignore_errors=True)


def require_room(runs: Path, disk: Path) -> None:
    """:raise HostLacks: the file system of the run directories has no room to sweep over this qcow2."""
    where = next(path for path in (runs.absolute(), *runs.absolute().parents) if path.exists())
    told = json.loads(run(["qemu-img", "info", "--output=json", disk]).stdout)
    whole = int(told["virtual-size"]) // MIB
    what = f"a recording to sweep over (the disk {whole}, its log {LOG_MIB}, what a boot writes)"
    require_free_space(where, whole + LOG_MIB + OVERLAY_FREE_MIB, what=what)
