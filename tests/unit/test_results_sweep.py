# SPDX-License-Identifier: GPL-3.0-only
"""What a sweep comes to: the worst of all that was booted, and never a pass where something was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import sweep_table
from harness.cli.carrying_out import case_of
from harness.errors import CannotMeasure, HarnessError, Mistake, RecordUnusable
from harness.model import codec
from harness.model.plan import Plan
from harness.model.scenario import Control
from harness.model.sweep import Cut, DistinctState, SweepResult
from harness.model.sweep_summary import SUMMARY, SweepSummary
from harness.model.verdict import VERDICT_FORMAT, Evidence, Finding, Outcome, Verdict
from harness.pytest_plugin.longrepr import disproved, not_measured
from harness.report import junit
from harness.results import Came, RunResult, came_of_result, gate
from harness.results_gate import Ran
from harness.results_sweep import Booted, judged_again, read_summary, whole
from tests.unit.builders import POLICY, SPAN, fresh_revert

PLAN = fresh_revert().plan()
HERE = Path("runs/recording")
H, U, V = Outcome.HELD, Outcome.UNPROVEN, Outcome.VIOLATED


def finding(outcome: Outcome, subject: str = "snap.bluez.bluez") -> Finding:
    proof = Evidence("witness.jsonl", 12, "bluez has filter abc")
    kind = {H: "fresh", U: "unseen", V: "stale"}[outcome]
    return Finding(POLICY, outcome, kind, subject, 1, f"{subject} is {kind}", "2.68.3", (proof,))


def run(name: str, *outcomes: Outcome, error: str = "", plan: Plan = PLAN) -> RunResult:
    found = tuple(map(finding, outcomes))
    worst = max((*outcomes, U if not outcomes else H), key=[H, U, V].index)
    return RunResult(plan, Path("runs") / name, Verdict(VERDICT_FORMAT, plan.title, worst, found, error))


def states(*counts: int) -> tuple[DistinctState, ...]:
    return tuple(DistinctState(f"d{n}", Cut(n), count, ()) for n, count in enumerate(counts))


def found(of: Sequence[DistinctState], *, missed: int = 0, gap: str = "") -> SweepResult:
    looked = sum(state.states for state in of)
    return SweepResult(looked + missed, looked, 5, 9, "d0", tuple(of), gap)


def swept(*results: RunResult | HarnessError | None, recorded: RunResult | None = None) -> RunResult:
    """A complete sweep in which each state is of one more than the one before."""
    of = states(*range(1, len(results) + 1))
    booted = [Booted(state, result) for state, result in zip(of, results, strict=True)]
    return whole(recorded or run("recording", H), found(of), booted)


def summary_of(result: RunResult) -> SweepSummary:
    assert result.swept
    return result.swept


def test_it_holds_when_all_of_it_does() -> None:
    result = swept(run("a", H), run("b", H))
    assert came_of_result(result) is Came.HELD
    told = summary_of(result)
    assert told.coverage == "3 of 3 states, 2 different policies, 2 booted"
    assert (told.outcome, told.recorded) == ("HELD", "HELD")
    assert [(one.outcome, one.states, one.directory, one.page) for one in told.runs] == [
        ("HELD", 1, "../a", "../a/report.html"),
        ("HELD", 2, "../b", "../b/report.html"),
    ]
    assert [f.summary for f in result.verdict.findings[1:]] == [
        "cut at flush 0: all held (../a)",
        "cut at flush 1 and 1 state like it: all held (../b)",
    ]


@pytest.mark.parametrize(
    ("results", "came"),
    [
        ([run("a", H), run("b", H, V, U)], Came.VIOLATED),
        ([run("a", H), run("b", U, H)], Came.UNPROVEN),
        ([run("a", H), run("b")], Came.UNPROVEN),
        ([run("a", H), None], Came.UNPROVEN),
        ([run("a", V), None], Came.VIOLATED),
        ([run("a", H), run("b", H, error="step 1: the guest panicked")], Came.ERROR),
        ([run("a", V), CannotMeasure("no room")], Came.ERROR),
        ([run("a", H), Mistake("no such cut")], Came.ERROR),
        ([], Came.UNPROVEN),
    ],
)
def test_the_worst_counts(results: list[RunResult | HarnessError | None], came: Came) -> None:
    result = swept(*results)
    assert came_of_result(result) is came
    assert summary_of(result).outcome == came.name


@pytest.mark.parametrize(
    ("recorded", "came"),
    [(run("recording", V), Came.VIOLATED), (run("recording", U), Came.UNPROVEN)],
)
def test_the_recording_is_judged_like_any_run(recorded: RunResult, came: Came) -> None:
    result = swept(run("a", H), recorded=recorded)
    assert came_of_result(result) is came
    assert summary_of(result).recorded == came.name


@pytest.mark.parametrize(
    ("missed", "gap", "says"),
    [
        (4, "", "not every state was looked at: 1 of 5 states"),
        (0, "the log of writes breaks off at entry 7", "the log of writes breaks off at entry 7"),
    ],
)
def test_what_was_not_looked_at_is_no_pass(missed: int, gap: str, says: str) -> None:
    of = states(1)
    result = whole(run("recording", H), found(of, missed=missed, gap=gap), [Booted(of[0], run("a", H))])
    assert came_of_result(result) is Came.UNPROVEN
    (open_one,) = (f for f in result.verdict.findings if f.outcome is U)
    assert (open_one.kind, says in open_one.summary) == ("coverage", True)
    assert gap in summary_of(result).coverage


def test_what_is_wrong_after_a_cut_names_it_its_run_and_its_evidence() -> None:
    result = swept(run("a", H), run("b", H, V, V))
    (wrong,) = (f for f in result.verdict.findings if f.outcome is V)
    assert (wrong.invariant, wrong.kind, wrong.subject, wrong.author, wrong.boot) == (
        "sweep", "stale", "cut at flush 1", "2.68.3", 0,
    )  # fmt: skip
    assert wrong.summary == (
        f"cut at flush 1 and 1 state like it: {POLICY}: snap.bluez.bluez is stale, and 1 more (../b)"
    )
    assert wrong.evidence == (Evidence("../b/witness.jsonl", 12, "bluez has filter abc"),)


def test_pytest_and_junit_name_the_states() -> None:
    result = swept(run("a", H), run("b", V))
    assert "cut at flush 1" in disproved(result).splitlines()[0]
    text = junit.document([case_of(PLAN, result)])
    (case,) = ET.fromstring(text).iter("testcase")
    failure = case.find("failure")
    assert failure is not None
    assert "cut at flush 1" in (failure.get("message") or "")
    broken = swept(run("a", H), CannotMeasure("no room", hint="free some"))
    assert "cut at flush 1: no room" in not_measured(PLAN, broken)


CONTROL = Control(SPAN, POLICY, ("snap.bluez.bluez",), "2.68.3", "stale")


@pytest.mark.parametrize(
    ("recorded", "state", "met"),
    [(H, V, True), (V, H, True), (H, H, False)],
)
def test_a_control_is_met_by_one_state_or_by_the_recording(
    recorded: Outcome, state: Outcome, met: bool
) -> None:
    control = replace(PLAN, controls=(CONTROL,))
    result = swept(run("a", H), run("b", state), recorded=run("recording", recorded, plan=control))
    assert result.verdict.control
    assert result.verdict.control.as_expected is met
    assert (gate(result.verdict) is Came.HELD) is met
    assert Ran(control, result).as_it_must is met


def test_what_a_control_names_may_be_found_in_several_states() -> None:
    other = replace(CONTROL, subjects=("snap.witness.report",))
    plan = replace(PLAN, controls=(CONTROL, other))
    second = run("b", V)
    second = replace(second, verdict=replace(second.verdict, findings=(finding(V, "snap.witness.report"),)))
    both = swept(run("a", V), second, recorded=run("recording", H, plan=plan))
    assert both.verdict.control
    assert both.verdict.control.as_expected
    one = swept(run("a", V), recorded=run("recording", H, plan=plan))
    assert one.verdict.control
    assert one.verdict.control.missing == (
        f"{POLICY} was not VIOLATED for snap.witness.report as stale under policy of 2.68.3",
    )


def test_the_table() -> None:
    result = swept(run("a", H), run("b", V), CannotMeasure("no room"), None)
    assert sweep_table.render(summary_of(result), HERE).splitlines() == [
        "== core-revert/paper, swept",
        "",
        "came out    states  files  cut             run directory",
        "HELD        1       0      cut at flush 0  runs/a",
        "VIOLATED    2       0      cut at flush 1  runs/b",
        "ERROR       3       0      cut at flush 2  none",
        "NOT BOOTED  4       0      cut at flush 3  none",
        "",
        "the recording: HELD",
        "not complete: --resume runs/recording goes on with it",
        "ERROR  10 of 10 states, 4 different policies, 3 booted",
    ]


def test_the_summary_is_read_back_from_the_run_directory(tmp_path: Path) -> None:
    assert read_summary(tmp_path) is None
    told = summary_of(swept(run("a", H), None))
    (tmp_path / SUMMARY).write_text(codec.dumps(told))
    assert read_summary(tmp_path) == told
    for broken in ("{", "[]", codec.dumps(replace(told, format=9))):
        (tmp_path / SUMMARY).write_text(broken)
        with pytest.raises(RecordUnusable, match=SUMMARY):
            read_summary(tmp_path)


def test_a_recording_that_is_judged_otherwise_changes_the_whole() -> None:
    told = summary_of(swept(run("a", H), Mistake("no such cut")))
    assert (told.outcome, [one.outcome for one in told.runs]) == ("ERROR", ["HELD", "MISTAKE"])
    told = summary_of(swept(run("a", H), recorded=run("recording", V)))
    assert judged_again(told, run("recording", H).verdict) == replace(told, recorded="HELD", outcome="HELD")
    assert judged_again(told, run("recording", H, error="it panicked").verdict).outcome == "ERROR"


WORDS = {"held": H, "unproven": U, "violated": V}
RESULTS = st.sampled_from([*WORDS, "error", "raised", "left"])


@settings(deadline=None)
@given(
    st.sampled_from(list(WORDS)),
    st.lists(RESULTS, max_size=6),
    st.integers(0, 2),
    st.sampled_from(["", "a gap"]),
)
def test_it_holds_only_when_nothing_is_missing(
    recorded: str, words: list[str], missed: int, gap: str
) -> None:
    made = {
        **{word: run(word, outcome) for word, outcome in WORDS.items()},
        "error": run("e", H, error="it panicked"),
        "raised": CannotMeasure("no room"),
        "left": None,
    }
    of = states(*([1] * len(words)))
    booted = [Booted(state, made[word]) for state, word in zip(of, words, strict=True)]  # type: ignore[arg-type]
    result = whole(run("recording", WORDS[recorded]), found(of, missed=missed, gap=gap), booted)
    came = came_of_result(result)
    whole_of_it = bool(words) and not missed and not gap
    assert (came is Came.HELD) == ({recorded, *words} == {"held"} and whole_of_it)
    assert (came is Came.ERROR) == bool({"error", "raised"} & set(words))
    if came is not Came.ERROR:
        assert (came is Came.VIOLATED) == ("violated" in (recorded, *words))
    assert summary_of(result).booted == len(words) - words.count("left")
    assert codec.loads(SweepSummary, codec.dumps(summary_of(result))) == result.swept
    not_done = missed or {"error", "raised", "left"} & set(words)
    assert summary_of(result).complete is not bool(not_done)
    assert judged_again(summary_of(result), run("recording", WORDS[recorded]).verdict) == result.swept
