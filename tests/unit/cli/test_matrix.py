# SPDX-License-Identifier: GPL-3.0-only
"""`harness matrix` on a runner that starts nothing: exit codes, progress, the table, what is kept of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.cli import matrix
from harness.cli.program import main
from harness.errors import CannotMeasure, Mistake
from harness.model import codec
from harness.model.matrix import MatrixSummary, PlannedMatrix
from harness.model.plan import Plan
from harness.model.verdict import VERDICT_FORMAT, Finding, Outcome, Verdict, worst
from harness.planning_matrix import plan_matrix
from harness.results import RunResult
from harness.scenario.catalogue import load_catalogue

CATALOGUE = """\
images: {guest: {recipe: recipes/guest.yaml}}
cores:
  "2.57.6": {suite: bookworm, version: 2.57.6-1}
  "2.68.3": {suite: trixie, version: 2.68.3-1}
snaps: {one: {variants: {default: x}, services: [app]}, two: {variants: {default: x}, services: [app]}}
"""
SCENARIO = """\
summary: core goes to another snapd
image: guest
start: {core: "2.57.6", snaps: [one, two]}
vary: {how: [clean, reset]}
steps: [{refresh: {core: "2.68.3"}}, {reboot: "${how}"}]
hold: [policy-from-running-snapd]
"""
MATRIX = """\
summary: a matrix
vary: how
threats:
  first: {file: alike.yaml, subject: snap.one.app, says: the first}
  by-two: {file: alike.yaml, subject: snap.two.app, says: by another service}
  second: {file: other.yaml, subject: snap.one.app, says: the second}
cells:
  clean: {first: HELD, by-two: broken, second: HELD}
  reset: {first: HELD, by-two: broken, second: HELD}
"""
POLICY = "policy-from-running-snapd"


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlannedMatrix:
    for name in ("images", "scenarios"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "catalogue.yaml").write_text(CATALOGUE)
    for name in ("alike", "other"):
        (tmp_path / "scenarios" / f"{name}.yaml").write_text(SCENARIO)
    (tmp_path / "scenarios" / "m.matrix.yaml").write_text(MATRIX)
    monkeypatch.chdir(tmp_path)
    return plan_matrix(Path("scenarios/m.matrix.yaml"), load_catalogue(Path("images/catalogue.yaml")))


class Runner:
    """What runs come to, by their titles; all others have one HELD and two broken."""

    def __init__(self, **others: str) -> None:
        self.others = others
        self.ran: list[str] = []

    def __call__(self, plan: Plan, _ends: threading.Event) -> RunResult:
        self.ran.append(plan.title)
        name = f"{plan.scenario}_{plan.variant['how']}"
        match self.others.get(name, ""):
            case "error":
                return RunResult(plan, Path("m/runs") / name, verdict(error="step 3: it panicked"))
            case "unbuildable":
                raise CannotMeasure("cannot build the image", hint="give a mirror")
            case "mistake":
                raise Mistake("cannot use the date")
            case kind:
                return RunResult(plan, Path("m/runs") / name, verdict(kind or "fresh"))


def verdict(kind: str = "fresh", error: str = "") -> Verdict:
    outcomes = {"fresh": Outcome.HELD, "unseen": Outcome.UNPROVEN}
    one = Finding(POLICY, outcomes.get(kind, Outcome.VIOLATED), kind, "snap.one.app", 3, "s")
    two = Finding(POLICY, Outcome.VIOLATED, "broken", "snap.two.app", 3, "s")
    return Verdict(VERDICT_FORMAT, "s", worst((one.outcome, two.outcome)), (one, two), error)


def run(planned: PlannedMatrix, runner: Runner, *finished: str) -> int:
    Path("m").mkdir(exist_ok=True)

    def before(plan: Plan) -> RunResult | None:
        return RunResult(plan, Path("m/runs/before"), verdict()) if plan.title in finished else None

    return matrix.run_matrix(planned, Path("m"), runner, before, 2)


def summary() -> MatrixSummary:
    found: MatrixSummary = codec.loads(MatrixSummary, Path("m/matrix.json").read_bytes())
    return found


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({}, 0),
        ({"other_clean": "stale"}, 1),
        ({"other_clean": "unseen"}, 2),
        ({"other_clean": "unseen", "alike_clean": "stale"}, 1),
        ({"other_clean": "error", "alike_clean": "stale"}, 3),
        ({"other_clean": "unbuildable"}, 3),
        ({"other_clean": "mistake", "alike_reset": "error"}, 64),
    ],
)
def test_exit_codes(planned: PlannedMatrix, others: dict[str, str], code: int) -> None:
    assert run(planned, Runner(**others)) == code


def test_one_run_decides_the_cells_of_its_file(planned: PlannedMatrix) -> None:
    runner = Runner()
    run(planned, runner)
    assert sorted(runner.ran) == [
        f"{name}[how={how}]" for name in ("alike", "other") for how in ("clean", "reset")
    ]
    cells = [
        (cell.row, cell.threat, cell.found, cell.as_expected, cell.directory) for cell in summary().cells
    ]
    assert cells[:3] == [
        ("clean", "first", ("HELD",), True, "runs/alike_clean"),
        ("clean", "by-two", ("broken",), True, "runs/alike_clean"),
        ("clean", "second", ("HELD",), True, "runs/other_clean"),
    ]
    assert (summary().outcome, summary().complete) == ("HELD", True)


def test_the_table(planned: PlannedMatrix, capsys: pytest.CaptureFixture[str]) -> None:
    run(planned, Runner(other_clean="stale", alike_reset="unbuildable"))
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("how  "))
    assert lines[at].split() == ["how", "first", "by-two", "second"]
    assert lines[at + 1].split() == ["clean", "HELD", "broken", "stale", "(not", "HELD)"]
    assert "clean, second: found stale, expected HELD: m/runs/other_clean" in lines
    assert "reset, first: found ERROR, expected HELD: no run directory" in lines
    assert "  cannot build the image" in lines
    assert lines[-1] == "ERROR  3 of 6 cells are not as expected"
    assert shown.err.splitlines()[0] == "4 runs decide all cells"
    assert any("4/4 " in line for line in shown.err.splitlines())


def test_all_as_expected_is_said(planned: PlannedMatrix, capsys: pytest.CaptureFixture[str]) -> None:
    run(planned, Runner())
    assert capsys.readouterr().out.splitlines()[-1] == "HELD  all 6 cells are as expected"


def test_what_was_finished_is_not_run_again(
    planned: PlannedMatrix, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = Runner()
    assert run(planned, runner, "alike[how=clean]", "other[how=reset]") == 0
    assert sorted(runner.ran) == ["alike[how=reset]", "other[how=clean]"]
    assert "2 were finished before" in capsys.readouterr().err
    assert summary().complete


def test_what_is_decided_is_kept_at_any_time(planned: PlannedMatrix) -> None:
    class Interrupted(Runner):
        def __call__(self, plan: Plan, ends: threading.Event) -> RunResult:
            if len(self.ran) == 3:
                raise RuntimeError("boom")
            return super().__call__(plan, ends)

    Path("m").mkdir()
    with pytest.raises(RuntimeError):
        matrix.run_matrix(planned, Path("m"), Interrupted(), lambda _: None, 1)
    assert sum(bool(cell.found) for cell in summary().cells) == 5
    assert (summary().complete, summary().outcome) == (False, "UNPROVEN")


def test_a_matrix_is_planned_without_running(
    planned: PlannedMatrix, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", planned.file]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "6 cells, decided by 4 runs"
    assert ["clean", "HELD", "broken", "HELD"] in [line.split() for line in lines]
    assert main(["plan", planned.file, "scenarios/alike.yaml"]) == 64


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--only", "threat=third"], "cannot find a cell"),
        (["--only", "threat"], "'threat' is not KEY=VALUE"),
        (["--at-once", "0"], "'0' is no number from 1 to 16"),
        (["--resume", "nowhere"], "cannot go on in nowhere: it has no matrix.json"),
        (["--resume", "nowhere", "--runs", "r"], "leave --runs out"),
    ],
)
def test_mistakes(
    planned: PlannedMatrix, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["matrix", planned.file, *words]) == 64
    assert says in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_mistake_in_a_scenario_starts_nothing(
    planned: PlannedMatrix, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("scenarios/other.yaml").write_text(SCENARIO.replace("guest", "gust"))
    assert main(["matrix", planned.file]) == 64
    assert capsys.readouterr().err.startswith("scenarios/other.yaml:2:8: ")
    assert not Path("runs").exists()


def test_a_run_is_a_harness_run_of_its_own(
    planned: PlannedMatrix, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image's recipe is not there, which the run itself says."""
    words = ["matrix", planned.file, "--only", "threat=second", "--only", "how=reset", "--cache", "cache"]
    assert main(words) == 64
    (directory,) = Path("runs").iterdir()
    (place,) = (directory / "matrix-runs").iterdir()
    assert (place.name, directory.name.endswith("-m-1")) == ("reset-other", True)
    assert "recipes/guest.yaml" in (place / "output.txt").read_text()
    assert "MISTAKE  1 of 1 cells are not as expected" in capsys.readouterr().out
    assert main(["matrix", planned.file, "--cache", "cache", "--resume", str(directory)]) == 64


@pytest.mark.parametrize("verb", ["run", "build"])
def test_a_matrix_is_not_taken_for_a_scenario(
    planned: PlannedMatrix, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, planned.file, *(["--cache", "cache"] if verb == "build" else [])]) != 0
    told = capsys.readouterr().err
    assert ("harness matrix scenarios/m.matrix.yaml" in told) == (verb == "run")
    assert "unknown key" not in told


@pytest.mark.parametrize(("at_once", "told"), [("1", ()), ("2", ("--one-thread",))])
def test_runs_side_by_side_are_told_so(
    planned: PlannedMatrix, monkeypatch: pytest.MonkeyPatch, at_once: str, told: tuple[str, ...]
) -> None:
    given: list[tuple[str, ...]] = []

    def runs_of(_: Path, options: tuple[str, ...]) -> None:
        given.append(options)
        raise Mistake("that is all")

    monkeypatch.setattr(matrix, "RunsOf", runs_of)
    main(["matrix", planned.file, "--at-once", at_once])
    assert [tuple(word for word in words if word == "--one-thread") for words in given] == [told]
