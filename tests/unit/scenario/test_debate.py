# SPDX-License-Identifier: GPL-3.0-only
"""The matrix of the debate of 2017: all designs, the page that explains it, what needs no machine of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.model.matrix import CLASSES, PlannedMatrix
from harness.planning_matrix import plan_matrix
from harness.replica.designs import DESIGNS
from harness.scenario.catalogue import load_catalogue
from tests.replica.test_designs import BOTH_CUT, DIES, NEWER, OWN, PAIRS, VERDICTS, VERDICTS_OF_PAIRS, WAITS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/debate.md").read_text()
# A launcher that waits gets its own policy in the end; without a text of its own kind, it is missing.
MEANT = {OWN: ["HELD"], WAITS: ["HELD"], NEWER: ["stale"], BOTH_CUT: ["stale"], DIES: ["broken", "missing"]}


@pytest.fixture(scope="module")
def debate() -> PlannedMatrix:
    catalogue = load_catalogue(ROOT / "images/catalogue.yaml")
    return plan_matrix(ROOT / "scenarios/replica/debate.matrix.yaml", catalogue)


def cells(matrix: PlannedMatrix, row: str) -> dict[str, str]:
    return {cell.threat.name: ", ".join(cell.expected) for cell in matrix.cells if cell.row == row}


def test_every_design_has_a_row(debate: PlannedMatrix) -> None:
    assert debate.rows == tuple(DESIGNS)


def test_every_file_of_the_debate_is_a_threat(debate: PlannedMatrix) -> None:
    listed = {Path(threat.listed.file).name for threat in debate.threats}
    assert listed == {path.name for path in (ROOT / "scenarios/replica/debate").iterdir()}


def test_everything_in_it_is_a_replica(debate: PlannedMatrix) -> None:
    cores = [ref for cell in debate.cells for ref in cell.plan.snaps if ref.snap == "core"]
    assert cores
    assert all(ref.replica for ref in cores)


def test_the_page_has_the_matrix_s_table(debate: PlannedMatrix) -> None:
    rows = [
        [cell.strip().strip("*`") for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith("|")
    ]
    head, _, *shown = rows[: 2 + len(debate.rows)]
    assert head == [debate.variable, *(threat.name for threat in debate.threats)]
    for row, found in zip(debate.rows, shown, strict=True):
        assert found == [row, *cells(debate, row).values()]


def test_the_page_has_a_paragraph_for_each_design_and_threat(debate: PlannedMatrix) -> None:
    told = re.findall(r"^\*\*([a-z0-9-]+)\*\*", PAGE, re.MULTILINE)
    assert told == [*(threat.name for threat in debate.threats), *debate.rows]


def test_what_launchers_do_before_snapd_has_run_is_what_cells_say(debate: PlannedMatrix) -> None:
    for design, verdicts in VERDICTS.items():
        row = cells(debate, design)
        for threat, verdict in zip(("unparsable", "first-installed"), verdicts, strict=True):
            assert row[threat] in MEANT[verdict], (design, threat)
    for design, verdicts in VERDICTS_OF_PAIRS.items():
        for threat, verdict in zip(PAIRS, verdicts, strict=True):
            assert cells(debate, design)[threat] in MEANT[verdict], (design, threat)


def test_a_design_survives_one_threat_and_not_another(debate: PlannedMatrix) -> None:
    """All but those that change nothing of what happens, and the one that gives up what was new."""
    for row in set(debate.rows) - {"as-it-was", "rules-reverted"}:
        found = set(cells(debate, row).values())
        assert "HELD" in found or row in ("digest", "core-link"), row
        assert found & {*CLASSES, "UNPROVEN"}, row
