# SPDX-License-Identifier: GPL-3.0-only
"""The root disk of a machine over all the QEMUs that it has."""

from __future__ import annotations

from pathlib import Path

from harness.errors import Mistake
from harness.fault.power_cut import surviving_disk
from harness.qemu.command import Disk
from harness.qemu.disk import cache_for, create_overlay
from harness.sweep.recording import Recording, count_entries

SERIAL = "root"


class RunDisk:
    """An overlay of the run's on `base`; with `power_cuts` all that is written to it is logged beside it.

    After each end of QEMU the log begins anew, on a disk on top of what was there: QEMU that was killed has
    not counted what it was just writing, and would write over it. With `recording`, an empty file, all is
    logged there, and QEMU is not to be killed.
    """

    def __init__(
        self, base: Path, overlay: Path, *, power_cuts: bool = False, recording: Path | None = None
    ) -> None:
        self._first = overlay
        self._base = base
        self._overlay = overlay
        self._power_cuts = power_cuts
        self._recording = recording
        self._count = 1
        if power_cuts:
            self._log.touch()

    @property
    def disk(self) -> Disk:
        """What QEMU is started with."""
        log = self._log if self._power_cuts else self._recording
        cache = cache_for(power_cuts=log is not None)
        return Disk(path=self._overlay, serial=SERIAL, cache=cache, write_log=log)

    def count_entries(self) -> int:
        """How many entries the recording has by now.

        :raise Mistake: nothing is recorded.
        """
        if self._recording is None:
            raise Mistake("cannot count what is written: this machine's disk keeps no log for a sweep")
        return count_entries(Recording(base=self._base, log=self._recording))

    def require_power_cuts(self) -> None:
        """:raise Mistake: the disk ignores the guest's flushes, so what a cut leaves cannot be told."""
        if not self._power_cuts:
            raise Mistake(
                "cannot cut the power: this machine's disk ignores flushes (cache=unsafe)",
                hint="a plan with 'reboot: power-cut' in it has a disk that keeps them",
            )

    def killed(self) -> None:
        """QEMU was killed: what it was given is there.

        :raise HostLacks: there is no space.
        :raise Mistake: a recording would end.
        """
        if self._recording is not None:
            raise Mistake("cannot kill QEMU: its log of writes is one to sweep over")
        if self._power_cuts:
            self._go_on_from(self._overlay)

    def power_cut(self) -> None:
        """QEMU was killed, and what was not flushed is lost.

        :raise HostLacks: there is no space.
        :raise RecordUnusable: what was flushed cannot be told.
        """
        self.require_power_cuts()
        old, log = self._overlay, self._log
        self._go_on_from(surviving_disk(self._base, log, self._next()))
        old.unlink()
        log.unlink()

    def _go_on_from(self, base: Path) -> None:
        self._base = base
        self._overlay = create_overlay(base, self._next())
        self._log.touch()

    def _next(self) -> Path:
        self._count += 1
        return self._first.with_stem(f"{self._first.stem}-{self._count}")

    @property
    def _log(self) -> Path:
        return self._overlay.with_suffix(".writes")
