# SPDX-License-Identifier: GPL-3.0-only
"""What a sweep does not go on with, and what is said of one that ended early."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness import running, running_sweep
from harness.errors import CannotMeasure, Mistake, RecordUnusable
from harness.host import whole_file
from harness.host.rundir import locked
from harness.judge import judge_directory
from harness.model.event import ArtifactUsed
from harness.model.plan import Plan
from harness.model.sweep_summary import SUMMARY
from harness.running_sweep_end import tell_how_to_go_on
from harness.sweep import Recording
from harness.sweep.place import SweepPlace
from tests.unit.paper_sweep import (
    KEPT,
    PLAN,
    PaperLab,
    carry_out,
    directory_of,
    interrupt,
    left_in,
    resume,
    summary_of,
)

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
    interrupt(lab)
    path = directory_of(lab) / "sweep" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    says = refused(again)
    assert "/sweep has not, or not any more, all that this needs" in says
    assert "carry it out anew: harness run scenario.yaml" in says


@pytest.mark.parametrize("name", ["base.raw", "writes"])
def test_a_recording_that_was_changed_is_another_one(lab: PaperLab, again: PaperLab, name: str) -> None:
    interrupt(lab)
    with (directory_of(lab) / "sweep" / name).open("ab") as file:
        file.write(b"\0")
    assert "writes is not what was recorded\n  carry it out anew" in refused(again)


def test_a_recording_that_did_not_end_cannot_be_gone_on_with(lab: PaperLab, again: PaperLab) -> None:
    interrupt(lab)
    events = directory_of(lab) / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-1].rpartition(b"\n")[0])
    assert "its recording did not come to an end\n  carry it out anew" in refused(again)


def test_other_bytes_are_named(lab: PaperLab, again: PaperLab) -> None:
    interrupt(lab)
    again.key = "another"
    says = refused(again)
    assert "not the same now as what was recorded: the image i\n  give the --catalogue, --cache" in says


def test_another_snap_is_named(lab: PaperLab, again: PaperLab, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_bluez(digest: str) -> Callable[[object], list[ArtifactUsed]]:
        return lambda _: [ArtifactUsed("image", "i", "key"), ArtifactUsed("snap", "bluez", digest)]

    monkeypatch.setattr("harness.lab.Prepared.artifacts", with_bluez("abc"))
    interrupt(lab)
    monkeypatch.setattr("harness.lab.Prepared.artifacts", with_bluez("def"))
    assert "not the same now as what was recorded: the snap bluez" in refused(again)


def test_another_witness_is_another_start(
    lab: PaperLab, again: PaperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(lab)
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
    interrupt(lab)
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
    interrupt(lab)
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
    interrupt(lab)
    directory = directory_of(lab)
    state = directory.parent / Path(summary_of(lab).runs[0].directory).name
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
        "one_thread": True,
        "keep": True,
    }
    lab = PaperLab(tmp_path, recording, **options)
    lab.fails_after = "interrupt"
    with pytest.raises(KeyboardInterrupt):
        carry_out(lab, tell=said.append)
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
        " --accelerator tcg --qemu qemu-9 --one-thread --keep"
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
    tell_how_to_go_on(SweepPlace(tmp_path / "r/sweep"), PLAN, lab.options, said.append)
    assert said[-1] == f"sweep: to go on: harness run scenario.yaml --resume {tmp_path}/r"


def test_judging_again_makes_the_same_verdict(lab: PaperLab) -> None:
    carry_out(lab)
    directory = directory_of(lab)
    before = (directory / "verdict.json").read_bytes(), (directory / SUMMARY).read_bytes()
    judge_directory(directory)
    assert ((directory / "verdict.json").read_bytes(), (directory / SUMMARY).read_bytes()) == before
