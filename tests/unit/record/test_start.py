# SPDX-License-Identifier: GPL-3.0-only
"""A start's record is taken out of one run and repeated in another, which then reads as if it had done it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import record_start
from harness.errors import HostLacks
from harness.model.clock import SECOND, HostTime
from harness.model.event import BootBegan, BootEnded, MachineSaid, RunOpened, StartRepeated
from harness.model.wire import Heard
from harness.record import CONSOLE, EVENTS, WITNESS, read_timeline
from harness.record_writing import Recorder
from tests.unit.builders import begun

HELLO = '{"type":"hello"}'


class Clock:
    def __init__(self, seconds: float) -> None:
        self.now = HostTime(int(seconds * SECOND))

    def __call__(self) -> HostTime:
        return self.now


def opened(directory: Path, clock: Clock) -> Recorder:
    directory.mkdir()
    record = Recorder(directory, clock)
    record.write_plan(begun().plan())
    record.write(RunOpened(1, "0", "sha"))
    return record


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A start of 100 s, in a run that had waited 7 s before."""
    clock = Clock(7)
    place = tmp_path / "kept"
    place.mkdir()
    with opened(tmp_path / "first", clock) as record:
        since = record.lines
        record.write(BootBegan(1, 0, "the machine was started"))
        record.hear(Heard(HostTime(8 * SECOND), 1, HELLO))
        clock.now = HostTime(107 * SECOND)
        record.write(BootEnded(1, "the guest switched itself off"))
        (tmp_path / "first" / CONSOLE).write_bytes(b"boot one\n")
        record_start.keep(tmp_path / "first", since, place)
        record.write(MachineSaid("LATER", {}))
    return place


def test_it_reads_as_if_the_run_had_done_it(kept: Path, tmp_path: Path) -> None:
    clock = Clock(2)
    run = tmp_path / "second"
    with opened(run, clock) as record:
        record.write(StartRepeated("key", "2026-01-02T03:04:05Z"))
        clock.now = HostTime(3 * SECOND)
        record_start.repeat(kept, run, record)
        clock.now = HostTime(5 * SECOND)
        record.write(BootBegan(2, len("boot one\n"), "the machine was started"))
    timeline = read_timeline(run)
    assert [type(recorded.event) for recorded in timeline.events] == [
        RunOpened, StartRepeated, BootBegan, BootEnded, BootBegan
    ]  # fmt: skip
    assert [recorded.at // SECOND for recorded in timeline.events] == [2, 2, 3, 103, 105]
    assert [(boot.number, boot.ended) for boot in timeline.boots] == [
        (1, "the guest switched itself off"),
        (2, ""),
    ]
    assert [line.text for line in timeline.boots[0].console] == ["boot one"]
    assert f'"at":{4 * SECOND},"boot":1' in (run / WITNESS).read_text()


def test_what_the_run_recorded_before_and_after_is_no_part_of_it(kept: Path) -> None:
    events = (kept / EVENTS).read_text()
    assert "run-opened" not in events
    assert "LATER" not in events


@pytest.mark.parametrize("name", [EVENTS, WITNESS])
def test_a_damaged_one_is_named_with_what_to_do(kept: Path, tmp_path: Path, name: str) -> None:
    (kept / name).write_text("{\n")
    with (
        opened(tmp_path / "second", Clock(0)) as record,
        pytest.raises(HostLacks, match="cannot repeat") as e,
    ):
        record_start.repeat(kept, tmp_path / "second", record)
    assert str(kept) in e.value.message
    assert "the next run makes it again" in e.value.hint


def test_a_missing_one_is_named(kept: Path, tmp_path: Path) -> None:
    (kept / CONSOLE).unlink()
    with opened(tmp_path / "second", Clock(0)) as record, pytest.raises(HostLacks, match="No such file"):
        record_start.repeat(kept, tmp_path / "second", record)
