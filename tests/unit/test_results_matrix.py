# SPDX-License-Identifier: GPL-3.0-only
"""What a cell comes to, from the verdict of the run that decides it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import CannotMeasure, HarnessError, Mistake
from harness.model.gate import Listed
from harness.model.matrix import CLASSES, PlannedCell, PlannedMatrix, Threat
from harness.model.plan import SnapRef
from harness.model.verdict import RECORD, VERDICT_FORMAT, Finding, Outcome, Verdict, worst
from harness.policy.start_class import StartClass
from harness.results import Came, RunResult
from harness.results_matrix import Decided, came_of_matrix, found_in, is_as_expected, summary_of
from tests.unit.builders import BLUEZ, NETWORK, POLICY, SPAN, Guest

PLAN = Guest().plan()
HELD, UNPROVEN, VIOLATED = Outcome.HELD, Outcome.UNPROVEN, Outcome.VIOLATED


def finding(outcome: Outcome, kind: str, subject: str = BLUEZ, invariant: str = POLICY) -> Finding:
    return Finding(invariant, outcome, kind, subject, 3, "what it says")


def verdict(*findings: Finding, error: str = "") -> Verdict:
    outcome = worst(one.outcome for one in findings)
    return Verdict(VERDICT_FORMAT, "s", outcome, findings, error)


FRESH, LUCKY = finding(HELD, "fresh"), finding(HELD, "lucky")
BROKEN, STALE = finding(VIOLATED, "broken"), finding(VIOLATED, "stale")


@pytest.mark.parametrize(
    ("findings", "found"),
    [
        ((FRESH, LUCKY), ("HELD",)),
        ((FRESH, BROKEN), ("broken",)),
        ((STALE, BROKEN, FRESH, STALE), ("broken", "stale")),
        ((FRESH, finding(UNPROVEN, "dead")), ("UNPROVEN",)),
        ((BROKEN, finding(UNPROVEN, "dead")), ("broken",)),
        ((), ("UNPROVEN",)),
        # Another service is another cell.
        ((FRESH, finding(VIOLATED, "broken", NETWORK)), ("HELD",)),
        ((finding(HELD, "fresh", NETWORK),), ("UNPROVEN",)),
        # What is about no service is about every one.
        ((FRESH, finding(UNPROVEN, "gap", "boot 3")), ("UNPROVEN",)),
        ((FRESH, finding(UNPROVEN, "never-held", "snapd.service", RECORD)), ("UNPROVEN",)),
        ((BROKEN, finding(UNPROVEN, "point", "step 9", RECORD)), ("broken",)),
        # Other invariants are judged elsewhere.
        ((FRESH, finding(VIOLATED, "failed", BLUEZ, "units-healthy")), ("HELD",)),
    ],
)
def test_what_is_found_of_one_service(findings: tuple[Finding, ...], found: tuple[str, ...]) -> None:
    assert found_in(verdict(*findings), PLAN, BLUEZ) == found


def test_a_run_that_failed_decides_nothing() -> None:
    assert found_in(verdict(BROKEN, error="step 3: the guest panicked"), PLAN, BLUEZ) == ("ERROR",)


@pytest.mark.parametrize(
    ("expected", "found", "fits"),
    [
        (("HELD",), ("HELD",), True),
        (("HELD",), ("UNPROVEN",), False),
        (("broken",), ("broken",), True),
        (("broken",), ("broken", "stale"), False),
        (("broken", "stale"), ("broken", "stale"), True),
        (("broken", "stale"), ("stale",), False),
        (("race",), ("HELD",), True),
        (("race",), ("broken",), True),
        (("race",), ("broken", "stale"), True),
        (("race",), ("UNPROVEN",), False),
        (("UNPROVEN",), ("UNPROVEN",), True),
        (("UNPROVEN",), ("HELD",), False),
    ],
)
def test_what_is_as_expected(expected: tuple[str, ...], found: tuple[str, ...], fits: bool) -> None:
    assert is_as_expected(expected, found) is fits


def test_the_classes_of_cells_are_those_of_starts_that_are_violated() -> None:
    assert set(CLASSES) < {str(one) for one in StartClass}


def decided(expected: str, result: RunResult | HarnessError, name: str = "one") -> Decided:
    threat = Threat(name, Listed(SPAN, "one.yaml"), BLUEZ, SPAN, "says")
    return Decided(PlannedCell("row", threat, (expected,), PLAN), result)


def ran(*findings: Finding, error: str = "") -> RunResult:
    return RunResult(PLAN, Path("m/matrix-runs/row-one/1"), verdict(*findings, error=error))


@pytest.mark.parametrize(
    ("cells", "came"),
    [
        ([decided("HELD", ran(FRESH)), decided("broken", ran(BROKEN))], Came.HELD),
        ([decided("UNPROVEN", ran(finding(UNPROVEN, "dead")))], Came.HELD),
        ([decided("HELD", ran(FRESH)), decided("HELD", ran(BROKEN))], Came.VIOLATED),
        ([decided("broken", ran(FRESH))], Came.VIOLATED),
        ([decided("UNPROVEN", ran(FRESH))], Came.VIOLATED),
        ([decided("broken", ran())], Came.UNPROVEN),
        ([decided("broken", ran()), decided("HELD", ran(STALE))], Came.VIOLATED),
        ([decided("HELD", ran(STALE)), decided("broken", ran(BROKEN, error="panic"))], Came.ERROR),
        ([decided("HELD", ran(STALE)), decided("HELD", CannotMeasure("no mirror"))], Came.ERROR),
        ([decided("HELD", CannotMeasure("x")), decided("HELD", Mistake("y"))], Came.MISTAKE),
        ([], Came.UNPROVEN),
    ],
)
def test_the_worst_cell_counts(cells: list[Decided], came: Came) -> None:
    assert came_of_matrix(cells) is came


def test_a_summary_has_every_cell_and_says_what_is_not_decided_yet() -> None:
    plan = replace(PLAN, snaps=(SnapRef("core", "2.24", "core.snap", replica=True),))
    cells = [
        replace(decided(want, ran(), name).cell, plan=plan) for want, name in (("HELD", "a"), ("HELD", "b"))
    ]
    matrix = PlannedMatrix(
        "m.matrix.yaml", "s", "how", tuple(c.threat for c in cells), ("row",), tuple(cells)
    )
    summary = summary_of(matrix, [Decided(cells[0], ran(FRESH))], Path("m"))
    assert (summary.outcome, summary.complete, summary.replicas) == ("UNPROVEN", False, ("2.24",))
    first, second = summary.cells
    assert (first.found, first.as_expected, first.directory) == (("HELD",), True, "matrix-runs/row-one/1")
    assert (second.found, second.as_expected, second.directory) == ((), False, "")
    whole = summary_of(matrix, [Decided(cell, ran(BROKEN)) for cell in cells], Path("m"))
    assert (whole.outcome, whole.complete) == ("VIOLATED", True)
