# SPDX-License-Identifier: GPL-3.0-only
"""A sweep that ended early goes on: nothing that was done is done again, and nothing else counts."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness import running, running_resume, running_sweep
from harness.errors import CannotMeasure, Mistake, RecordUnusable
from harness.host import whole_file
from harness.host.rundir import locked
from harness.judge import judge_directory
from harness.model import codec
from harness.model.event import ArtifactUsed
from harness.model.plan import Plan
from harness.model.sweep_summary import NOT_BOOTED, SUMMARY, StateRun, SweepSummary
from harness.results import Came, RunResult, came_of_result
from harness.results_sweep import read_summary
from harness.sweep import Recording, sweeping
from harness.sweep.place import SweepPlace
from tests.unit.paper_sweep import PLAN, PaperLab, budget, four_states, without_qemu

KEPT = {"base.raw", "writes", "bytecode", "recorded.json", "sweep.json", "distinct"}
DONE = {"sweep.json", "distinct"}


@pytest.fixture(autouse=True)
def _no_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    without_qemu(monkeypatch)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return four_states(tmp_path / "made")


@pytest.fixture
def lab(tmp_path: Path, recording: Recording) -> PaperLab:
    return PaperLab(tmp_path, recording)


@pytest.fixture
def again(tmp_path: Path, recording: Recording) -> PaperLab:
    """The lab of the call that goes on."""
    return PaperLab(tmp_path, recording)


def carry_out(lab: PaperLab, tell: Callable[[str], None] = print) -> RunResult:
    assert PLAN.sweep
    return running_sweep.carry_out_sweep(PLAN, PLAN.sweep, lab, tell, running.measure_with(lab, tell))


def resume(lab: PaperLab, plan: Plan = PLAN, tell: Callable[[str], None] = print) -> RunResult:
    assert plan.sweep
    measure = running.measure_with(lab, tell)
    return running_resume.resume_sweep(plan, plan.sweep, directory_of(lab), lab, tell, measure)


def directory_of(lab: PaperLab) -> Path:
    (place,) = lab.options.runs.glob("*/sweep")
    return place.parent


def left_in(lab: PaperLab) -> set[str]:
    return {path.name for path in (directory_of(lab) / "sweep").iterdir()}


def told(lab: PaperLab) -> SweepSummary:
    summary = read_summary(directory_of(lab))
    assert summary
    return summary


def outcomes(summary: SweepSummary | None) -> list[tuple[str, str, int, str]]:
    assert summary
    return [(str(run.cut), run.digest, run.states, run.outcome) for run in summary.runs]


def interrupted(lab: PaperLab, at: int = 2) -> None:
    lab.fails_after, lab.fails_from = "interrupt", at
    with pytest.raises(KeyboardInterrupt):
        carry_out(lab)


def rewrite(lab: PaperLab, change: Callable[[tuple[StateRun, ...]], tuple[StateRun, ...]]) -> None:
    summary = told(lab)
    text = codec.dumps(replace(summary, runs=change(summary.runs)))
    (directory_of(lab) / SUMMARY).write_text(text)


# -- going on


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_one_that_was_interrupted_boots_what_was_not_booted_and_comes_to_the_same(
    lab: PaperLab, again: PaperLab, tmp_path: Path, recording: Recording, at: int
) -> None:
    interrupted(lab, at)
    assert left_in(lab) == KEPT
    assert not told(lab).complete
    assert [run.outcome == NOT_BOOTED for run in told(lab).runs] == [number >= at for number in range(1, 5)]
    first = told(lab).runs[: at - 1]
    result = resume(again)
    assert len(again.after) == 5 - at
    assert told(again) == result.swept
    assert told(again).complete
    assert told(again).runs[: at - 1] == first
    assert left_in(again) == DONE
    other = PaperLab(tmp_path / "other", recording)
    at_once = carry_out(other)
    assert outcomes(result.swept) == outcomes(at_once.swept)
    assert came_of_result(result) is came_of_result(at_once) is Came.UNPROVEN
    # One recording, four states, and the boot that was interrupted.
    assert len(list(again.options.runs.iterdir())) == 1 + 4 + 1


def test_one_that_was_killed_goes_on(lab: PaperLab, again: PaperLab) -> None:
    lab.fails_after, lab.fails_from = "kill", 3
    child = os.fork()
    if not child:
        carry_out(lab)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert left_in(lab) == KEPT | {"state-3.qcow2"}
    assert [run.outcome == NOT_BOOTED for run in told(lab).runs] == [False, False, True, True]
    (SweepPlace.of(directory_of(lab)).path / "state-3.qcow2.raw").touch()
    resume(again)
    assert len(again.after) == 2
    assert left_in(again) == DONE


@pytest.mark.parametrize(("asked", "looked", "booted"), [(2, 2, 0), (4, 4, 0), (5, 4, 1), (7, 4, 3)])
def test_the_budget_is_that_of_each_call(
    lab: PaperLab,
    again: PaperLab,
    monkeypatch: pytest.MonkeyPatch,
    asked: int,
    looked: int,
    booted: int,
) -> None:
    monkeypatch.setattr(lab, "patience", lambda _: budget(asked))
    result = carry_out(lab)
    assert came_of_result(result) is Came.UNPROVEN
    assert result.swept == told(lab)
    assert (told(lab).complete, told(lab).looked, told(lab).booted) == (False, looked, booted)
    assert left_in(lab) == KEPT
    # The states that were booted before cost nothing of it.
    monkeypatch.setattr(again, "patience", lambda _: budget(4 - looked + 4 - booted))
    resume(again)
    assert (told(again).complete, told(again).looked, told(again).booted) == (True, 4, 4)
    assert len(again.after) == 4 - booted


def test_another_budget_is_no_other_plan(lab: PaperLab, again: PaperLab) -> None:
    interrupted(lab)
    assert PLAN.sweep
    resume(again, replace(PLAN, file="elsewhere.yaml", sweep=replace(PLAN.sweep, budget=5.0)))
    assert len(again.after) == 3


def test_one_that_was_interrupted_as_states_were_looked_at_says_how_many_were(
    lab: PaperLab, again: PaperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(line: str) -> None:
        if line.startswith("sweep: 2 of 4"):
            raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(sweeping, "TELL_EVERY", 0.0)
    with pytest.raises(KeyboardInterrupt):
        carry_out(lab, stop)
    assert (told(lab).complete, told(lab).states, told(lab).looked, len(told(lab).runs)) == (False, 4, 2, 2)
    said: list[str] = []
    assert resume(again, tell=said.append).swept == told(again)
    assert "sweep: going on after 2 of 4 states" in said
    assert told(again).complete


def test_it_may_be_interrupted_again(lab: PaperLab, again: PaperLab, recording: Recording) -> None:
    interrupted(lab)
    again.fails_after, again.fails_from = "interrupt", 2
    with pytest.raises(KeyboardInterrupt):
        resume(again)
    assert [run.outcome == NOT_BOOTED for run in told(again).runs] == [False, False, True, True]
    third = PaperLab(again.options.runs.parent, recording)
    resume(third)
    assert len(third.after) == 2
    assert told(third).complete


def test_run_directories_may_have_been_moved(lab: PaperLab, tmp_path: Path, recording: Recording) -> None:
    interrupted(lab)
    (tmp_path / "elsewhere").mkdir()
    lab.options.runs.rename(tmp_path / "elsewhere/runs")
    shutil.copytree(tmp_path / "cache", tmp_path / "elsewhere/cache", symlinks=True)
    moved = PaperLab(tmp_path / "elsewhere", recording)
    resume(moved)
    assert len(moved.after) == 3


def test_one_that_was_kept_whole_is_found_complete(
    tmp_path: Path, recording: Recording, again: PaperLab
) -> None:
    keeping = PaperLab(tmp_path, recording, keep=True)
    said: list[str] = []
    carry_out(keeping, said.append)
    assert not any("to go on" in line for line in said)
    resume(again)
    assert again.after == []
    assert told(again).complete
    assert left_in(again) == DONE


def test_a_state_that_could_not_be_measured_is_booted_again_and_not_hidden(
    lab: PaperLab, again: PaperLab
) -> None:
    lab.fails_after, lab.fails_from = "the guest panicked", 3
    result = carry_out(lab)
    assert came_of_result(result) is Came.ERROR
    assert [run.outcome for run in told(lab).runs][2:] == ["ERROR", "ERROR"]
    assert not told(lab).complete
    failed = [run.directory for run in told(lab).runs][2:]
    assert left_in(lab) == KEPT
    assert came_of_result(resume(again)) is Came.UNPROVEN
    assert len(again.after) == 2
    assert [run.earlier for run in told(again).runs] == [(), (), (failed[0],), (failed[1],)]


# -- what does not count


def torn(run: Path) -> None:
    events = (run / "events.jsonl").read_bytes()
    (run / "events.jsonl").write_bytes(events[: events.rindex(b"\n", 0, -1)])


def of_another_plan(run: Path) -> None:
    (run / "plan.json").write_text((run / "plan.json").read_text().replace('"summary":"', '"summary":"x'))


@pytest.mark.parametrize(
    ("spoil", "earlier"),
    [
        (torn, True),
        (of_another_plan, True),
        (lambda run: (run / "plan.json").unlink(), True),
        (lambda run: (run / "plan.json").write_text("{"), True),
        (shutil.rmtree, False),
    ],
)
def test_a_run_that_is_not_whole_is_made_again(
    lab: PaperLab, again: PaperLab, spoil: Callable[[Path], None], earlier: bool
) -> None:
    interrupted(lab, 3)
    way = told(lab).runs[1].directory
    spoil(directory_of(lab) / way)
    resume(again)
    assert len(again.after) == 3
    run = told(again).runs[1]
    assert run.directory
    assert run.earlier == ((way,) if earlier else ())


def test_a_run_of_another_cut_does_not_count(lab: PaperLab, again: PaperLab) -> None:
    interrupted(lab, 3)
    rewrite(lab, lambda runs: (replace(runs[0], directory=runs[1].directory), *runs[1:]))
    resume(again)
    assert len(again.after) == 3
    assert outcomes(told(again)) == outcomes(told(lab))


def test_verdicts_are_those_of_the_records(lab: PaperLab, again: PaperLab) -> None:
    interrupted(lab, 3)
    run = directory_of(lab) / told(lab).runs[0].directory
    judged = (run / "verdict.json").read_bytes()
    (run / "verdict.json").unlink()
    rewrite(lab, lambda runs: (replace(runs[0], outcome="HELD", says=""), *runs[1:]))
    resume(again)
    assert told(again).runs[0].outcome == "UNPROVEN"
    assert (run / "verdict.json").read_bytes() == judged


# -- what cannot go on


def refused(lab: PaperLab, plan: Plan = PLAN) -> str:
    before = left_in(lab), (directory_of(lab) / SUMMARY).read_bytes()
    with pytest.raises(Mistake) as caught:
        resume(lab, plan)
    assert lab.after == []
    assert (left_in(lab), (directory_of(lab) / SUMMARY).read_bytes()) == before, "nothing was deleted"
    return str(caught.value)


def test_a_complete_one_has_nothing_to_go_on_with(lab: PaperLab, again: PaperLab) -> None:
    carry_out(lab)
    says = refused(again)
    assert "its sweep is complete, nothing is left to do" in says
    assert f"harness report {directory_of(lab)} shows that it came out UNPROVEN" in says


@pytest.mark.parametrize("name", ["base.raw", "writes", "recorded.json", "bytecode"])
def test_what_was_deleted_is_missed(lab: PaperLab, again: PaperLab, name: str) -> None:
    interrupted(lab)
    path = directory_of(lab) / "sweep" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    says = refused(again)
    assert "/sweep has not, or not any more, all that this needs" in says
    assert "carry it out anew: harness run scenario.yaml" in says


@pytest.mark.parametrize("name", ["base.raw", "writes"])
def test_a_recording_that_was_changed_is_another_one(lab: PaperLab, again: PaperLab, name: str) -> None:
    interrupted(lab)
    with (directory_of(lab) / "sweep" / name).open("ab") as file:
        file.write(b"\0")
    assert "writes is not what was recorded\n  carry it out anew" in refused(again)


def test_a_recording_that_did_not_end_cannot_be_gone_on_with(lab: PaperLab, again: PaperLab) -> None:
    interrupted(lab)
    torn(directory_of(lab))
    assert "its recording did not come to an end\n  carry it out anew" in refused(again)


def test_other_bytes_are_named(lab: PaperLab, again: PaperLab) -> None:
    interrupted(lab)
    again.key = "another"
    says = refused(again)
    assert "not the same now as what was recorded: the image i\n  give the --catalogue, --cache" in says


def test_another_snap_is_named(lab: PaperLab, again: PaperLab, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_bluez(digest: str) -> Callable[[object], list[ArtifactUsed]]:
        return lambda _: [ArtifactUsed("image", "i", "key"), ArtifactUsed("snap", "bluez", digest)]

    monkeypatch.setattr("harness.lab.Prepared.artifacts", with_bluez("abc"))
    interrupted(lab)
    monkeypatch.setattr("harness.lab.Prepared.artifacts", with_bluez("def"))
    assert "not the same now as what was recorded: the snap bluez" in refused(again)


def test_another_witness_is_another_start(
    lab: PaperLab, again: PaperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(lab)
    monkeypatch.setattr("harness.lab.probe_sha256", lambda: "another")
    assert "its start is another one now (the witness, the accelerator or the CPU)" in refused(again)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sweep/recorded.json", "{"),
        ("sweep/recorded.json", '{"format":9,"start":"","files":""}'),
        (SUMMARY, "{"),
        ("sweep/sweep.json", "{"),
    ],
)
def test_what_cannot_be_read_is_said(lab: PaperLab, again: PaperLab, name: str, text: str) -> None:
    interrupted(lab)
    (directory_of(lab) / name).write_text(text)
    kept = left_in(lab)
    if name == "sweep/sweep.json":
        assert re.search(r"the sweep: cannot go on with .*sweep\.json", resume(again).verdict.error)
    else:
        with pytest.raises(RecordUnusable, match=f"cannot read .*{name}"):
            resume(again)
    assert left_in(lab) == kept
    assert again.after == []


def test_two_at_once_exclude_each_other(lab: PaperLab, again: PaperLab) -> None:
    interrupted(lab)
    with locked(directory_of(lab)), pytest.raises(CannotMeasure, match=rf"process {os.getpid()} is using it"):
        resume(again)
    assert left_in(again) == KEPT


def test_a_sweep_holds_the_lock_while_it_boots(lab: PaperLab, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def bootable(*_: object) -> Path:
        with pytest.raises(CannotMeasure, match="is using it"), locked(directory_of(lab)):
            pass
        seen.append("locked")
        raise KeyboardInterrupt

    monkeypatch.setattr(running_sweep, "bootable", bootable)
    with pytest.raises(KeyboardInterrupt):
        carry_out(lab)
    with pytest.raises(KeyboardInterrupt):
        resume(lab)
    assert seen == ["locked", "locked"]


def test_a_plan_without_a_sweep_does_not_go_on(lab: PaperLab) -> None:
    with (
        running.resuming_runner(lab.options.runs / "x", lab.options, print) as runner,
        pytest.raises(Mistake, match=r"cannot go on with .*/x: scenario\.yaml has no sweep"),
    ):
        runner(replace(PLAN, sweep=None))


def test_nothing_is_relied_on_that_the_host_s_disk_may_not_have(
    lab: PaperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(whole_file, "_flush", flushed.append)
    interrupted(lab)
    directory = directory_of(lab)
    state = directory.parent / Path(told(lab).runs[0].directory).name
    names = [str(path.relative_to(directory.parent)) for path in flushed]

    def place(path: Path, name: str) -> int:
        return next(at for at, flushed in enumerate(names) if re.fullmatch(f"{path.name}/{name}", flushed))

    mark = place(directory, r"sweep/\.recorded\.json\.\d+\.new")
    needed = ("base.raw", "writes", "bytecode/agent.pyc")
    assert max(place(directory, f"sweep/{name}") for name in needed) < mark
    summary = place(directory, r"\.sweep\.json\.\d+\.new")
    record = ("plan.json", "events.jsonl", "witness.jsonl", "recording/events.jsonl")
    assert mark < max(place(state, name) for name in record) < summary
    assert summary == len(names) - 1


# -- what is said


def test_it_says_what_is_kept_how_large_that_is_and_how_to_go_on(
    tmp_path: Path, recording: Recording
) -> None:
    said: list[str] = []
    options = {
        "accelerator": "tcg",
        "mirror": "http://a b",
        "qemu": "qemu-9",
        "snapshot": "2025",
        "keep": True,
    }
    lab = PaperLab(tmp_path, recording, **options)
    lab.fails_after = "interrupt"
    with pytest.raises(KeyboardInterrupt):
        carry_out(lab, said.append)
    kept, command = said[-2:]
    place = directory_of(lab) / "sweep"
    size = re.search(r"keeps what going on needs \((\d+) MiB\)", kept)
    assert size
    assert int(size[1]) >= (place / "writes").stat().st_size >> 20
    assert kept.startswith(f"sweep: not complete; {place} keeps")
    assert kept.endswith("That directory is safe to delete")
    assert command == (
        f"sweep: to go on: harness run scenario.yaml --resume {place.parent} --catalogue {tmp_path}/none"
        f" --cache {tmp_path}/cache --mirror 'http://a b' --snapshot 2025"
        " --accelerator tcg --qemu qemu-9 --keep"
    )


def test_a_catalogue_that_is_found_is_not_named(
    tmp_path: Path, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/catalogue.yaml").touch()
    monkeypatch.chdir(tmp_path)
    lab = PaperLab(tmp_path, recording)
    lab.options = replace(lab.options, catalogue=Path("images/catalogue.yaml"), cache=None)
    said: list[str] = []
    running_sweep.tell_how_to_go_on(SweepPlace(tmp_path / "r/sweep"), PLAN, lab.options, said.append)
    assert said[-1] == f"sweep: to go on: harness run scenario.yaml --resume {tmp_path}/r"


def test_judging_again_makes_the_same_verdict(lab: PaperLab) -> None:
    carry_out(lab)
    directory = directory_of(lab)
    before = (directory / "verdict.json").read_bytes(), (directory / SUMMARY).read_bytes()
    judge_directory(directory)
    assert ((directory / "verdict.json").read_bytes(), (directory / SUMMARY).read_bytes()) == before
