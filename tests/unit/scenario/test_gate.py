# SPDX-License-Identifier: GPL-3.0-only
"""Gate files: what they come to, and every mistake in them with its place."""

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
from harness.model.gate import PlannedGate
from harness.model.invariants import INVARIANTS
from harness.planning import scenario_files
from harness.planning_gate import plan_gate
from harness.scenario import source
from harness.scenario.gate import DOCUMENT, decode
from harness.scenario.source import Problems

CONTROL = "control: {violates: policy-from-running-snapd}\n"
MATRIX = "vary: {how: [clean, reset]}\n"
GATE = """\
summary: a gate
scenarios:
  - ../core-revert/good.yaml
controls:
  - ../control/bad.yaml
"""

Plan = Callable[[str], PlannedGate]
Told = Callable[[str], list[str]]


@pytest.fixture
def scenarios(tmp_path: Path, good: str) -> Path:
    """A directory with a scenario, one with a matrix, a control, and a place for gates."""
    for name in ("core-revert", "control", "gates"):
        (tmp_path / "scenarios" / name).mkdir(parents=True)
    top = tmp_path / "scenarios"
    (top / "core-revert" / "good.yaml").write_text(good)
    (top / "core-revert" / "two.yaml").write_text(MATRIX + good.replace("reboot: clean", "reboot: ${how}"))
    (top / "control" / "bad.yaml").write_text(good + CONTROL)
    return top


@pytest.fixture
def planned(scenarios: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(scenarios.parent)

    def plan(text: str) -> PlannedGate:
        file = Path("scenarios/gates/g.gate.yaml")
        file.write_text(text)
        return plan_gate(file, catalogue)

    return plan


@pytest.fixture
def told(planned: Plan) -> Told:
    """What is wrong with a gate, as the user is told."""

    def mistakes(text: str) -> list[str]:
        with pytest.raises(Mistakes) as caught:
            planned(text)
        assert caught.value.exit_code == 64
        return str(caught.value).replace("scenarios/gates/g.gate.yaml", "g").splitlines()

    return mistakes


def test_a_gate_has_the_plans_of_what_it_lists(planned: Plan) -> None:
    gate = planned(GATE)
    assert (gate.file, gate.summary) == ("scenarios/gates/g.gate.yaml", "a gate")
    assert [plan.file for plan in gate.controls] == ["scenarios/control/bad.yaml"]
    assert [plan.file for plan in gate.scenarios] == ["scenarios/core-revert/good.yaml"]
    assert [plan.scenario for plan in (*gate.controls, *gate.scenarios)] == [
        "control/bad",
        "core-revert/good",
    ]


@pytest.mark.parametrize(
    ("item", "variants"),
    [
        ("../core-revert/two.yaml", ["clean", "reset"]),
        ("{file: ../core-revert/two.yaml, variant: {how: reset}}", ["reset"]),
    ],
)
def test_a_variant_leaves_some_points_of_a_matrix(planned: Plan, item: str, variants: list[str]) -> None:
    gate = planned(GATE.replace("../core-revert/good.yaml", item))
    assert [plan.variant["how"] for plan in gate.scenarios] == variants


def test_points_of_one_matrix_can_be_listed_one_by_one(planned: Plan) -> None:
    items = [
        f"  - {{file: ../core-revert/two.yaml, variant: {{how: {how}}}}}\n" for how in ("clean", "reset")
    ]
    assert len(planned(GATE.replace("  - ../core-revert/good.yaml\n", "".join(items))).scenarios) == 2


def test_a_reason_stands_for_a_control(planned: Plan, scenarios: Path, good: str) -> None:
    (scenarios / "core-revert" / "good.yaml").write_text(good + "  - console-clean\n")
    gate = planned(GATE + "unproven:\n  console-clean: nothing is known that soils it\n")
    assert [(each.invariant, each.reason) for each in gate.unproven] == [
        ("console-clean", "nothing is known that soils it")
    ]


def test_what_no_control_shows_is_a_mistake(told: Told, scenarios: Path, good: str) -> None:
    (scenarios / "core-revert" / "good.yaml").write_text(good + "  - console-clean\n")
    (line,) = told(GATE)
    assert line.startswith(
        "g:3:5: nothing shows that this gate can see 'console-clean' violated,"
        " which '../core-revert/good.yaml' holds; list a control"
    )


def test_what_a_control_merely_holds_is_not_shown(told: Told, scenarios: Path, good: str) -> None:
    (scenarios / "core-revert" / "good.yaml").write_text(good + "  - console-clean\n")
    (scenarios / "control" / "bad.yaml").write_text(good + "  - console-clean\n" + CONTROL)
    (line,) = told(GATE)
    assert "can see 'console-clean' violated" in line


def test_what_a_control_holds_need_not_be_shown(planned: Plan, scenarios: Path, good: str) -> None:
    (scenarios / "control" / "bad.yaml").write_text(good + "  - console-clean\n" + CONTROL)
    assert planned(GATE).controls


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("summary:", "sumary:", "g:1:1: unknown key in the gate 'sumary'"),
        ("summary: a gate\n", "", "g:1:1: the gate lacks 'summary'; expected one line for people"),
        ("  - ../core-revert/good.yaml", "  []", "g:3:3: 'scenarios' is empty"),
        ("  - ../control/bad.yaml", "  []", "cannot tell whether it sees anything"),
        (
            "core-revert/good",
            "core-revert/god",
            "from the gate's directory; did you mean ../core-revert/good.yaml?",
        ),
        ("../core-revert/good.yaml", "../core-revert", "g:3:5: '../core-revert' is no file"),
        ("../core-revert/good.yaml", "g.gate.yaml", "g:3:5: 'g.gate.yaml' is a gate itself"),
        ("../core-revert/good.yaml", '"a\\0b"', "g:3:5: cannot look for 'a\\x00b'"),
        ("../core-revert/good.yaml", "a" * 300, "g:3:5: cannot look for 'aaa"),
        ("../core-revert/good.yaml", "[a]", "g:3:5: an item of 'scenarios' is a list; expected a mapping"),
        (
            "../core-revert/good.yaml",
            "{fil: ../core-revert/good.yaml}",
            "g:3:6: unknown key in an item of the gate 'fil'; expected one of file, variant",
        ),
        (
            "../core-revert/good.yaml",
            "{file: ../core-revert/two.yaml, variant: {how: hard}}",
            "two.yaml: cannot find a variant with how=hard; it has: how=clean; how=reset",
        ),
        (
            "../control/bad.yaml",
            "../core-revert/two.yaml",
            "g:5:5: '../core-revert/two.yaml' is no control: it does not say how",
        ),
        (
            "../core-revert/good.yaml",
            "../core-revert/good.yaml\n  - ../control/bad.yaml",
            "g:4:5: '../control/bad.yaml' is a control, which must come out VIOLATED",
        ),
        (
            "../core-revert/good.yaml",
            "../core-revert/good.yaml\n  - ./../core-revert/good.yaml",
            "g:4:5: 'core-revert/good' is listed twice, first at g:3:5",
        ),
        (
            "summary: a gate",
            "summary: a gate\nunproven: {consle-clean: why}",
            "g:2:12: unknown invariant 'consle-clean'",
        ),
        ("summary: a gate", "summary: a gate\nunproven: {console-clean: }", "expected the reason, in words"),
        (
            "summary: a gate",
            "summary: a gate\nunproven: {console-clean: why}",
            "no scenario of this gate holds",
        ),
        (
            "summary: a gate",
            "summary: a gate\nunproven: {policy-from-running-snapd: why}",
            "g:2:12: 'policy-from-running-snapd' is not unproven: a control of this gate violates it",
        ),
    ],
)
def test_mistakes(told: Told, old: str, new: str, line: str) -> None:
    assert GATE.count(old) == 1
    found = told(GATE.replace(old, new))
    assert [each for each in found if line in each], found


def test_all_mistakes_are_told_at_once(told: Told, scenarios: Path, good: str) -> None:
    (scenarios / "core-revert" / "good.yaml").write_text(good.replace("2.68.3", "2.68.4"))
    found = told(GATE.replace("bad.yaml", "bed.yaml") + "what: else\n")
    assert [line.partition(": ")[0] for line in found] == [
        "scenarios/core-revert/good.yaml:7:5",
        "g:5:5",
        "g:6:1",
    ]


def test_what_a_gate_shows_is_not_spoken_of_while_a_file_of_it_is_not_known(told: Told) -> None:
    assert not [line for line in told(GATE.replace("bad.yaml", "bed.yaml")) if "nothing shows" in line]


def test_a_misplaced_control_still_shows_what_it_violates(told: Told) -> None:
    found = told(GATE.replace("../core-revert/good.yaml", "../control/bad.yaml"))
    assert len(found) == 2
    assert not [line for line in found if "nothing shows" in line]


def test_a_file_that_is_not_called_a_gate_is_none(scenarios: Path, catalogue: Catalogue) -> None:
    with pytest.raises(Mistake, match=r"ends with \.gate\.yaml"):
        plan_gate(scenarios / "core-revert" / "good.yaml", catalogue)


def test_gates_are_not_found_as_scenarios(planned: Plan, scenarios: Path) -> None:
    planned(GATE)
    assert [file.name for file in scenario_files(scenarios)] == ["bad.yaml", "good.yaml", "two.yaml"]
    with pytest.raises(Mistake, match=r"no \*\.yaml file that is no gate"):
        scenario_files(scenarios / "gates")


texts = st.sampled_from([*INVARIANTS, *DOCUMENT.fields, "file", "variant", "a.yaml"]) | st.text(max_size=5)
trees = st.recursive(
    texts | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4)
)


@settings(deadline=None)
@given(data=st.fixed_dictionaries({}, optional=dict.fromkeys(DOCUMENT.fields, trees)) | trees)
def test_any_document_is_a_gate_or_mistakes_with_places(data: Any) -> None:
    problems = Problems()
    gate = decode(source.parse(yaml.safe_dump(data).encode(), "f.yaml"), problems)
    assert all(each.span.file == "f.yaml" for each in problems.found)
    assert problems.found or (gate.scenarios and gate.controls)
