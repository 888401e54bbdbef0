# SPDX-License-Identifier: GPL-3.0-only
"""Outcomes, findings and the verdict. The worst outcome wins, and no finding at all proves nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

VERDICT_FORMAT = 1

RECORD = "record"
"""The `invariant` of findings about the record itself, which every verdict rests on."""


class Outcome(StrEnum):
    """Ordered HELD < UNPROVEN < VIOLATED."""

    HELD = "HELD"
    UNPROVEN = "UNPROVEN"
    VIOLATED = "VIOLATED"

    @property
    def exit_code(self) -> int:
        """0 held, 1 violated, 2 unproven."""
        return {Outcome.HELD: 0, Outcome.VIOLATED: 1, Outcome.UNPROVEN: 2}[self]


_SEVERITY = (Outcome.HELD, Outcome.UNPROVEN, Outcome.VIOLATED)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of `outcomes`; UNPROVEN when there is none, because nothing proven is not a pass."""
    return max(outcomes, key=_SEVERITY.index, default=Outcome.UNPROVEN)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where in the run directory a finding's proof stands: file, line (from 1), what it says."""

    file: str
    line: int
    says: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement with its evidence.

    `kind` is the class of design.md section 1 (fresh, stale, waiting, …) or the invariant's own word;
    `subject` is what it is about (a security tag, a unit); `author` is the catalogue's name of the
    core whose snapd made the policy found; `boot` is 0 when it is about the whole run. `known_by` names
    the independent ways in which that author is known (policy/authorship.py).
    """

    invariant: str
    outcome: Outcome
    kind: str
    subject: str
    boot: int
    summary: str
    author: str = ""
    evidence: tuple[Evidence, ...] = ()
    known_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ControlJudgement:
    """Whether a control came out as it must; `missing` says what did not."""

    as_expected: bool
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings of a run and what they come to.

    `error` is why measuring failed; with it, the outcome says only what was found before.
    """

    format: int
    scenario: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    error: str = ""
    control: ControlJudgement | None = None
    replicas: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 when measuring failed, otherwise the outcome's."""
        return 3 if self.error else self.outcome.exit_code
