# SPDX-License-Identifier: GPL-3.0-only
"""A record in order, boot by boot: all that an invariant may look at."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.event import ArtifactUsed, CheckRead, LookTaken, Recorded, RunFailed
from harness.model.observation import Look
from harness.model.occurrence import Occurrence
from harness.model.plan import Plan

RECORDING = "recording"
"""Where the directory of a boot after a cut has a copy of the record of the run that was cut."""


@dataclass(frozen=True, slots=True)
class SeenLook:
    """A look with its place in witness.jsonl and what the plan expected at that point."""

    line: int
    look: Look
    taken: LookTaken


@dataclass(frozen=True, slots=True)
class SeenOccurrence:
    """An occurrence with its place in witness.jsonl."""

    line: int
    occurrence: Occurrence


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """One line of the serial console, without control characters; `line` counts in console.log."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class BootRecord:
    """One life of the guest's kernel. `ended` is empty for the boot that the run ended in.

    `occurrences` are in the order of guest time; those of the same time as the witness told them.
    """

    number: int
    boot_id: str
    cause: str
    ended: str
    looks: tuple[SeenLook, ...]
    checks: tuple[tuple[int, CheckRead], ...]
    console: tuple[ConsoleLine, ...]
    occurrences: tuple[SeenOccurrence, ...] = ()

    @property
    def end_look(self) -> SeenLook | None:
        """The look that end-state invariants judge this boot by."""
        return next((seen for seen in reversed(self.looks) if seen.taken.boot_end), None)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that was recorded of one run.

    `gaps` says what is missing or torn (unreadable lines, a record without its last line);
    `failure` is why the run ended early, if it did. `recording` is the run that was cut, where this is the
    boot after a cut.
    """

    plan: Plan
    boots: tuple[BootRecord, ...]
    artifacts: tuple[ArtifactUsed, ...]
    events: tuple[Recorded, ...]
    gaps: tuple[str, ...] = ()
    failure: RunFailed | None = None
    recording: Timeline | None = None

    def snapd_build_of(self, core: str) -> str:
        """The build id of the snapd in a core of the catalogue, or an empty string."""
        found = (a.build_ids.get("snapd", "") for a in self.artifacts if a.role == "snap" and a.name == core)
        return next(found, "")
