# SPDX-License-Identifier: GPL-3.0-only
"""Matrix files: what they come to, and every mistake in them with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Mistake, Mistakes
from harness.model.catalogue import Catalogue
from harness.model.matrix import WORDS, PlannedMatrix
from harness.planning import scenario_files
from harness.planning_matrix import only, plan_matrix
from harness.scenario import source
from harness.scenario.matrix import DOCUMENT, decode
from harness.scenario.source import Problems

MATRIX = """\
summary: a matrix
vary: how
threats:
  one: {file: s/one.yaml, subject: snap.witness.report, says: the first}
  same: {file: s/one.yaml, subject: snap.network-manager.networkmanager, says: by another}
  two: {file: s/two.yaml, subject: snap.witness.report, says: the second}
cells:
  clean: {one: HELD, same: race, two: [stale, broken]}
  reset: {one: UNPROVEN, same: missing, two: HELD}
"""

Plan = Callable[[str], PlannedMatrix]
Told = Callable[[str], list[str]]


@pytest.fixture
def scenarios(tmp_path: Path, good: str) -> Path:
    """A directory with two scenarios that vary alike, and others that do not fit."""
    place = tmp_path / "scenarios" / "s"
    place.mkdir(parents=True)
    varied = "vary: {how: [clean, reset]}\n" + good.replace("reboot: clean", "reboot: ${how}")
    texts = {
        "one": varied,
        "two": varied,
        "plain": good,
        "more": varied.replace("[clean, reset]", "[clean, reset, kill]"),
        "repeated": varied + "repeat: 3\n",
        "control": varied + "control: {violates: policy-from-running-snapd}\n",
        "elsewhere": varied.replace("policy-from-running-snapd", "console-clean"),
    }
    for name, text in texts.items():
        (place / f"{name}.yaml").write_text(text)
    return place.parent


@pytest.fixture
def planned(scenarios: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(scenarios.parent)

    def plan(text: str) -> PlannedMatrix:
        file = Path("scenarios/m.matrix.yaml")
        file.write_text(text)
        return plan_matrix(file, catalogue)

    return plan


@pytest.fixture
def told(planned: Plan) -> Told:
    """What is wrong with a matrix, as the user is told."""

    def mistakes(text: str) -> list[str]:
        with pytest.raises(Mistakes) as caught:
            planned(text)
        assert caught.value.exit_code == 64
        return str(caught.value).replace("scenarios/m.matrix.yaml", "m").splitlines()

    return mistakes


def test_a_matrix_has_a_cell_for_each_row_and_threat(planned: Plan) -> None:
    matrix = planned(MATRIX)
    assert (matrix.summary, matrix.variable, matrix.rows) == ("a matrix", "how", ("clean", "reset"))
    assert [(cell.row, cell.threat.name, cell.expected) for cell in matrix.cells] == [
        ("clean", "one", ("HELD",)),
        ("clean", "same", ("race",)),
        ("clean", "two", ("broken", "stale")),
        ("reset", "one", ("UNPROVEN",)),
        ("reset", "same", ("missing",)),
        ("reset", "two", ("HELD",)),
    ]
    assert all(cell.plan.variant == {"how": cell.row} for cell in matrix.cells)


def test_one_run_decides_the_cells_of_one_file_and_row(planned: Plan) -> None:
    one, same, two = (cell.plan for cell in planned(MATRIX).cells[:3])
    assert one is same
    assert (one.file, two.file) == ("scenarios/s/one.yaml", "scenarios/s/two.yaml")


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ((), 6),
        ((("how", "clean"),), 3),
        ((("threat", "two"),), 2),
        ((("file", "one"),), 4),
        ((("how", "clean"), ("threat", "one"), ("threat", "two")), 2),
        ((("how", "clean"), ("how", "reset"), ("file", "two")), 2),
    ],
)
def test_some_cells_can_be_chosen(planned: Plan, chosen: tuple[tuple[str, str], ...], left: int) -> None:
    matrix = only(planned(MATRIX), chosen)
    assert len(matrix.cells) == left
    assert {cell.row for cell in matrix.cells} == set(matrix.rows)
    assert {cell.threat.name for cell in matrix.cells} == {threat.name for threat in matrix.threats}


@pytest.mark.parametrize(
    ("chosen", "says", "hint"),
    [
        ((("who", "clean"),), "cannot choose cells by 'who'", "has how, threat, file"),
        ((("threat", "sam"),), "with threat=sam", "did you mean same?"),
        ((("how", "kill"),), "with how=kill", "it has: clean, reset"),
        ((("file", "one"), ("threat", "two")), "with file=one, threat=two", ""),
    ],
)
def test_what_cannot_be_chosen(
    planned: Plan, chosen: tuple[tuple[str, str], ...], says: str, hint: str
) -> None:
    with pytest.raises(Mistake) as caught:
        only(planned(MATRIX), chosen)
    assert says in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("summary:", "sumary:", "m:1:1: unknown key in the matrix 'sumary'"),
        ("vary: how\n", "", "m:1:1: the matrix lacks 'vary'"),
        ("vary: how", "vary: who", "m:4:15: 's/one.yaml' varies how, and the rows are values of 'who'"),
        ("one: HELD", "one: HEELD", "m:8:16: unknown cell 'HEELD'; expected one of HELD, UNPROVEN, broken"),
        ("one: HELD", "one: []", "m:8:16: 'one' is empty"),
        ("one: HELD", "one: [HELD, stale]", "m:8:17: 'HELD' stands alone in a cell"),
        ("one: HELD", "won: HELD", "m:8:11: unknown threat 'won'; expected one of one, same, two; did you"),
        ("one: HELD, same", "same", "m:8:3: the row 'clean' has no cell for the threat 'one'"),
        ("  clean:", "  clan:", "m:8:3: unknown how of 's/one.yaml' 'clan'; expected one of clean, reset"),
        (
            "two: {file: s/two.yaml, subject: snap.witness.report",
            "two: {file: s/two.yaml, subject: snap.witness.reprot",
            "m:6:36: 'snap.witness.reprot' is no service of 's/two.yaml', which has",
        ),
        ("file: s/two.yaml", "file: s/tow.yaml", "matrix's directory; did you mean s/two.yaml?"),
        ("file: s/two.yaml", "file: m.matrix.yaml", "m:6:15: 'm.matrix.yaml' is a matrix itself"),
        ("file: s/two.yaml", "fil: s/two.yaml", "m:6:9: unknown key in a threat 'fil'"),
        ("file: s/two.yaml", "file: s/plain.yaml", "m:6:15: 's/plain.yaml' varies nothing, and the rows"),
        (
            "file: s/two.yaml",
            "file: s/more.yaml",
            "m:2:7: 's/more.yaml' varies how to 'kill', for which there is no row",
        ),
        ("file: s/two.yaml", "file: s/repeated.yaml", "is a control, a sweep or repeated: a cell is decided"),
        ("file: s/two.yaml", "file: s/control.yaml", "is a control, a sweep or repeated: a cell is decided"),
        (
            "file: s/two.yaml",
            "file: s/elsewhere.yaml",
            "m:6:15: 's/elsewhere.yaml' does not hold 'policy-from-running-snapd', by which cells are judged",
        ),
    ],
)
def test_mistakes(told: Told, old: str, new: str, line: str) -> None:
    assert MATRIX.count(old) == 1
    found = told(MATRIX.replace(old, new))
    assert [each for each in found if line in each], found


def test_mistakes_are_told_once_and_all_together(told: Told, scenarios: Path) -> None:
    broken = (scenarios / "s" / "one.yaml").read_text().replace("2.68.3", "2.68.4")
    (scenarios / "s" / "one.yaml").write_text(broken)
    found = told(MATRIX.replace("missing", "misng"))
    assert [line.partition(": ")[0].partition(":")[0] for line in found] == ["m", "scenarios/s/one.yaml"]


def test_a_file_that_is_not_called_a_matrix_is_none(scenarios: Path, catalogue: Catalogue) -> None:
    with pytest.raises(Mistake, match=r"ends with \.matrix\.yaml"):
        plan_matrix(scenarios / "s" / "one.yaml", catalogue)


def test_neither_matrices_nor_what_they_list_are_found_as_scenarios(planned: Plan, scenarios: Path) -> None:
    before = {file.name for file in scenario_files(scenarios)}
    planned(MATRIX)
    left_out = before - {file.name for file in scenario_files(scenarios)}
    assert "m.matrix.yaml" not in before
    assert left_out == {"one.yaml", "two.yaml"}


texts = st.sampled_from([*WORDS, *DOCUMENT.fields, "file", "subject", "says"]) | st.text(max_size=5)
trees = st.recursive(
    texts | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4)
)


@settings(deadline=None)
@given(data=st.fixed_dictionaries({}, optional=dict.fromkeys(DOCUMENT.fields, trees)) | trees)
def test_any_document_is_a_matrix_or_mistakes_with_places(data: Any) -> None:
    problems = Problems()
    matrix = decode(source.parse(yaml.safe_dump(data).encode(), "f.yaml"), problems)
    assert all(each.span.file == "f.yaml" for each in problems.found)
    assert problems.found or (matrix.threats and matrix.rows)
