# SPDX-License-Identifier: GPL-3.0-only
"""A sweep over the cuts of one recorded run: what is asked for, what was looked at, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.spans import Span

SYSTEM_KEY = "/var/lib/snapd/system-key"
POLICY_PATHS = (
    "/var/lib/snapd/seccomp",
    "/var/lib/snapd/apparmor",
    "/var/lib/snapd/mount",
    "/var/lib/snapd/cgroup",
    SYSTEM_KEY,
)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A scenario's `sweep`: over the cuts of the one step whose verb is `during`.

    At most `points` flushes, evenly spread, 0 for all; with `drop_one`, each write before them lost too.
    `budget` is how long looking at the states and booting them may take, in nominal seconds. `verb_span`
    is where `during` is written.
    """

    span: Span
    during: str
    verb_span: Span
    points: int
    drop_one: bool
    budget: float


@dataclass(frozen=True, slots=True)
class PlannedSweep:
    """A sweep over the planned step of this number; the rest is as the scenario says."""

    step: str
    points: int
    drop_one: bool
    budget: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment at which power could have been lost, and which write was lost with it.

    `flush` is the number of the flush up to which everything is on the disk, from 1; 0 is the disk as it
    was before, and one more than there are flushes is the end of the log. With `dropped`, the entry of the
    log with that number, from 0, did not reach the disk: it is one of those that the flush was to make
    durable.
    """

    flush: int
    dropped: int | None = None

    def __str__(self) -> str:
        lost = "" if self.dropped is None else f", write {self.dropped} lost"
        return f"cut at flush {self.flush}{lost}"


@dataclass(frozen=True, slots=True)
class CutOf:
    """Where the disk of a run comes from: the cut of another run, in the directory of that name.

    `states` of its states have the policy that this cut leaves. `key` is the SHA-256 of the system-key on
    that disk, empty where there is none. Whether the snaps in `unsure` are there is not known: the step that
    was cut installs or removes them.
    """

    recording: str
    cut: Cut
    states: int
    key: str = ""
    unsure: tuple[str, ...] = ()


class How(StrEnum):
    """In what a file differs from the one of the last whole state."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FileDiffers:
    """`size` in bytes is the file's in this state, `whole` in the last whole one; None without a file.

    `content` is the SHA-256 of what it holds in this state; empty when there is nothing that holds anything.
    """

    path: str
    how: How
    size: int | None
    whole: int | None
    content: str = ""


@dataclass(frozen=True, slots=True)
class DistinctState:
    """One policy that a cut can leave: the first cut that leaves it, and how many of the states do.

    `digest` is of the paths, kinds and contents of all that was read, not of times and owners. `trouble`
    says why a file system could not be read that far; the digest is then of these words. `key` is the SHA-256
    of snapd's system-key, empty where there is none.
    """

    digest: str
    cut: Cut
    states: int
    differs: tuple[FileDiffers, ...]
    trouble: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What was found; `states` were to be looked at and `looked` were, in seconds of this host's time.

    `whole` is the digest of the last whole state. `gap` says what of the log is not known: states after it
    are in no count. `flushes` and `writes` count the log's entries within the part that was asked for.
    """

    states: int
    looked: int
    flushes: int
    writes: int
    whole: str
    distinct: tuple[DistinctState, ...]
    gap: str = ""
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether every state of the log was looked at, and the log has no gap."""
        return self.looked == self.states and not self.gap

    @property
    def coverage(self) -> str:
        """Such as ``61 of 61 states``."""
        gap = f"; {self.gap}" if self.gap else ""
        return f"{self.looked} of {self.states} states{gap}"
