# SPDX-License-Identifier: GPL-3.0-only
"""What the harness raises. An exception means "could not measure"; what was measured is a finding.

::

    HarnessError
     ├─ Mistake             the user wrote something wrong                    exit 64
     │   └─ Mistakes        all problems of a file, at once                   exit 64
     └─ CannotMeasure       the harness or the host failed                    exit 3
         ├─ BuildFailed     an image, core or snap could not be made
         ├─ SourceMoved     an archive no longer has the version asked for
         ├─ HostLacks       the host has no QEMU, no space, no tool, no mirror
         ├─ InstanceDied    QEMU ended although nobody asked it to
         ├─ GuestFailed     the guest panicked, hung or never became reachable
         ├─ TimedOut        a step's deadline passed
         └─ RecordUnusable  a run directory cannot be read
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.model.spans import Problem

EXIT_CANNOT_MEASURE = 3
EXIT_MISTAKE = 64


class HarnessError(Exception):
    """The root. `exit_code` is what a command-line program ends with."""

    exit_code = EXIT_CANNOT_MEASURE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class Mistake(HarnessError):
    """Something the user wrote or asked for cannot be carried out."""

    exit_code = EXIT_MISTAKE


class Mistakes(Mistake):
    """Every problem found in what the user wrote, each with its place.

    `problems` is never empty and is in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class CannotMeasure(HarnessError):
    """The harness or its host failed, so nothing is known about the guest."""


class BuildFailed(CannotMeasure):
    """An image, core or snap could not be made; nothing half-made is kept."""


class SourceMoved(BuildFailed):
    """The archive has another version than the catalogue names."""


class HostLacks(CannotMeasure):
    """The host has no QEMU, disk space, tool or mirror that the work needs."""


class InstanceDied(CannotMeasure):
    """QEMU ended although nobody asked it to: status or signal, and the tail of its stderr."""


class GuestFailed(CannotMeasure):
    """The guest panicked, hung or never became reachable; carries the last console lines."""

    def __init__(self, message: str, *, hint: str = "", console_tail: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.console_tail = tuple(console_tail)

    def __str__(self) -> str:
        tail = "".join(f"\n  console| {line}" for line in self.console_tail)
        return super().__str__() + tail


class TimedOut(CannotMeasure):
    """A deadline passed; says what was waited for and what was last seen."""


class RecordUnusable(CannotMeasure):
    """A run directory is missing a file, or holds one of another format."""
