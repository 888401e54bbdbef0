# SPDX-License-Identifier: GPL-3.0-only
"""A gate: scenarios that must hold, and the controls that show that a violation would be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model.plan import Plan
from harness.model.spans import Span


@dataclass(frozen=True, slots=True)
class Listed:
    """A scenario file that a gate lists, as written; `variant` leaves some points of its matrix."""

    span: Span
    file: str
    variant: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unproven:
    """An invariant that no control of the gate violates, and its author's reason."""

    span: Span
    invariant: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate file as its author wrote it, its files still to be read."""

    summary: str
    scenarios: tuple[Listed, ...] = ()
    controls: tuple[Listed, ...] = ()
    unproven: tuple[Unproven, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedPlan:
    """A plan, and where the gate lists the file that it is of."""

    listed: Listed
    plan: Plan


@dataclass(frozen=True, slots=True)
class PlannedGate:
    """A gate with everything looked up; `file` is the gate's own."""

    file: str
    summary: str
    controls: tuple[Plan, ...]
    scenarios: tuple[Plan, ...]
    unproven: tuple[Unproven, ...]
