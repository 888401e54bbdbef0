# SPDX-License-Identifier: GPL-3.0-only
"""Findings by number, worst first: what a page's links and a strip's marks point at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.model.verdict import Finding, Outcome, Verdict

FROM_WORST = (Outcome.VIOLATED, Outcome.UNPROVEN, Outcome.HELD)

# How the summaries and the evidence of findings name a process.
_PROCESS = re.compile(r"\b(?:process|child) (\d{1,10})\b")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A finding and its number, from 1."""

    number: int
    finding: Finding

    @property
    def violated(self) -> int:
        """The number when the finding is VIOLATED, else 0."""
        return self.number if self.finding.outcome == Outcome.VIOLATED else 0


def numbered(verdict: Verdict) -> tuple[Numbered, ...]:
    """Every finding of a verdict, the worst first, else in the verdict's order."""
    ordered = sorted(verdict.findings, key=lambda finding: FROM_WORST.index(finding.outcome))
    return tuple(Numbered(number, finding) for number, finding in enumerate(ordered, start=1))


def processes_named(finding: Finding) -> frozenset[int]:
    """The processes that a finding speaks of."""
    return frozenset(int(found) for text in _texts(finding) for found in _PROCESS.findall(text))


def lines_named(finding: Finding, file: str) -> frozenset[int]:
    """The lines of a file of the record that a finding rests on."""
    return frozenset(evidence.line for evidence in finding.evidence if evidence.file == file)


def _texts(finding: Finding) -> Iterator[str]:
    yield finding.summary
    yield from (evidence.says for evidence in finding.evidence)
