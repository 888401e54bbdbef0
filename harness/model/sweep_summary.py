# SPDX-License-Identifier: GPL-3.0-only
"""What a sweep came to, as it lies in the recording's run directory (`sweep.json`)."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.sweep import Cut

SUMMARY = "sweep.json"
SUMMARY_FORMAT = 1
NOT_BOOTED = "NOT BOOTED"
MEASURED = ("HELD", "UNPROVEN", "VIOLATED")
"""The outcomes of states that were booted and judged to an end."""


@dataclass(frozen=True, slots=True)
class StateRun:
    """A policy that a cut leaves, and what its boot came to: `outcome` is a verdict's, ERROR or NOT BOOTED.

    `states` of the states have this policy, `cut` is the first of them. In `differs` files it is not what the
    step left in the end. `directory` and `page` are the ways from the recording's run directory to the
    run's and to its page; empty where there is none. `says` is for people. `earlier` are the ways to runs
    of the same state that could not be measured, and after which it was booted again.
    """

    cut: Cut
    digest: str
    states: int
    differs: int
    outcome: str
    says: str
    directory: str = ""
    page: str = ""
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """All of it; `outcome` is the worst, `recorded` that of the recording by itself.

    `looked` of the `states` of the log were looked at. `gap` says what of the log is not known. One that is
    not `complete` ended early, or goes on: something was not looked at, not booted, or not measured.
    """

    format: int
    scenario: str
    outcome: str
    recorded: str
    states: int
    looked: int
    gap: str
    runs: tuple[StateRun, ...]
    complete: bool = True

    @property
    def booted(self) -> int:
        """How many policies were booted."""
        return sum(run.outcome != NOT_BOOTED for run in self.runs)

    @property
    def coverage(self) -> str:
        """Such as ``61 of 61 states, 5 different policies, 5 booted``."""
        many = f"{len(self.runs)} different polic{'y' if len(self.runs) == 1 else 'ies'}"
        gap = f"; {self.gap}" if self.gap else ""
        return f"{self.looked} of {self.states} states, {many}, {self.booted} booted{gap}"
