# SPDX-License-Identifier: GPL-3.0-only
"""A sweep looks at every state once, in as many calls as it takes, and keeps one of each different policy."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from harness.cut.states import Choice
from harness.cut.write_log import FLUSH
from harness.errors import CannotMeasure, HostLacks, Mistake, RecordUnusable
from harness.host.deadline import Deadline
from harness.model import codec
from harness.model.sweep import Cut, FileDiffers, How, SweepResult
from harness.sweep import Recording, recording, second_reader, sweep, sweeping
from tests.unit.cut.write_logs import A_FLUSH, Write, log_of
from tests.unit.sweep.recordings import new_file, record

PATHS = ("/policy",)


@pytest.fixture
def run(tmp_path: Path) -> Recording:
    return record(tmp_path, ["rm policy/two"], new_file(tmp_path, "two", b"22"), ["rm policy/one"])


def swept(run: Recording, where: Path, **options: object) -> SweepResult:
    told: list[str] = []
    return sweep(run, where, told.append, paths=PATHS, **options)  # type: ignore[arg-type]


def test_every_state_is_looked_at_and_the_different_ones_are_kept(run: Recording, tmp_path: Path) -> None:
    result = swept(run, tmp_path / "sweep", choice=Choice(drop_one=False))
    assert result.coverage == "4 of 4 states"
    assert result.complete
    assert result.flushes == 3
    assert [(state.cut, state.states) for state in result.distinct] == [(Cut(n), 1) for n in range(4)]
    one = FileDiffers("/policy/one", How.EXTRA, 9000, None, hashlib.sha256(b"1" * 9000).hexdigest())
    two = "/policy/two"
    assert [state.differs for state in result.distinct] == [
        (one, FileDiffers(two, How.CHANGED, 1, 2, hashlib.sha256(b"2").hexdigest())),
        (one, FileDiffers(two, How.MISSING, None, 2)),
        (one,),
        (),
    ]
    assert result.whole == result.distinct[3].digest


def test_each_write_is_lost_once(run: Recording, tmp_path: Path) -> None:
    result = swept(run, tmp_path / "sweep")
    assert result.states == 1 + result.flushes + result.writes == result.looked
    assert sum(state.states for state in result.distinct) == result.states
    torn = [state for state in result.distinct if state.cut.dropped is not None]
    assert torn, "a directory block or an inode that is lost alone leaves what no flush left"
    assert codec.loads(SweepResult, codec.dumps(result)) == result


def test_a_sweep_that_ran_out_of_time_goes_on_and_finds_the_same(run: Recording, tmp_path: Path) -> None:
    at_once = swept(run, tmp_path / "at-once")
    nothing = swept(run, tmp_path / "bit", deadline=Deadline.after(0))
    assert (nothing.looked, nothing.distinct, nothing.complete) == (0, (), False)
    assert nothing.coverage == f"0 of {at_once.states} states"
    later = swept(run, tmp_path / "bit")
    assert (later.distinct, later.looked) == (at_once.distinct, at_once.looked)


class Killed(BaseException):
    """What no code of ours catches."""


def test_a_sweep_that_was_killed_goes_on_where_it_was(
    run: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = swept(run, tmp_path / "at-once")
    directory = tmp_path / "bit"
    read, seen = sweeping.PolicyReader.read, []

    def read_or_die(self: object, view: object) -> object:
        seen.append(view)
        if len(seen) % 6 == 0:
            raise Killed
        return read(self, view)  # type: ignore[arg-type]

    monkeypatch.setattr(sweeping.PolicyReader, "read", read_or_die)
    monkeypatch.setattr(sweeping, "SAVE_EVERY", 0.0)
    told: list[str] = []
    result, killed = None, 0
    while result is None:
        try:
            result = sweep(run, directory, told.append, paths=PATHS)
        except Killed:
            killed += 1
            assert killed < at_once.states, "it gets nowhere"
    assert killed > 1
    assert (result.distinct, result.looked) == (at_once.distinct, at_once.states)
    # Each call also reads the last whole state.
    assert len(seen) == at_once.states + 2 * killed + 1
    assert sum("going on after" in line for line in told) == killed
    assert told[-1].startswith(f"sweep: {at_once.states} of {at_once.states} states looked at, ")


def test_a_gap_in_the_log_is_in_the_coverage(run: Recording, tmp_path: Path) -> None:
    content = run.log.read_bytes()
    run.log.write_bytes(content[: len(content) * 2 // 3])
    result = swept(run, tmp_path / "sweep", choice=Choice(drop_one=False))
    assert result.looked == result.states
    assert not result.complete
    assert "the log of writes breaks off at entry" in result.coverage


def test_a_file_system_that_a_cut_ruins_is_a_state(run: Recording, tmp_path: Path) -> None:
    run.log.write_bytes(log_of([Write(0, 8), A_FLUSH]))
    whole, ruined = swept(run, tmp_path / "sweep", choice=Choice(drop_one=False)).distinct
    assert (whole.trouble, ruined.trouble) == ("", "there is no ext4 superblock")
    assert ruined.differs == ()


def test_another_sweep_does_not_take_the_directory(run: Recording, tmp_path: Path) -> None:
    swept(run, tmp_path / "sweep")
    with pytest.raises(Mistake, match="holds a sweep of another run, or of other states"):
        swept(run, tmp_path / "sweep", choice=Choice(points=2))
    run.log.write_bytes(run.log.read_bytes() + b"\0")
    with pytest.raises(Mistake, match="holds a sweep of another run"):
        swept(run, tmp_path / "sweep")


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"type": "kept", "format": 1}', '{"format":"x"}', "\udcff"])
def test_a_torn_state_file_is_named(run: Recording, tmp_path: Path, torn: str) -> None:
    swept(run, tmp_path / "sweep")
    (tmp_path / "sweep/sweep.json").write_bytes(torn.encode("utf-8", "surrogateescape"))
    with pytest.raises(RecordUnusable, match=r"cannot go on with the sweep in .*sweep\.json"):
        swept(run, tmp_path / "sweep")


def test_a_lost_state_is_named(run: Recording, tmp_path: Path) -> None:
    swept(run, tmp_path / "sweep")
    next((tmp_path / "sweep/distinct").iterdir()).unlink()
    with pytest.raises(RecordUnusable, match="cannot go on with the sweep"):
        swept(run, tmp_path / "sweep")


@pytest.mark.parametrize("name", ["base", "log"])
def test_a_missing_file_is_a_mistake(run: Recording, tmp_path: Path, name: str) -> None:
    (tmp_path / name).unlink()
    with pytest.raises(Mistake, match=f"there is no file .*/{name}"):
        swept(run, tmp_path / "sweep")


def test_what_is_no_log_is_named(run: Recording, tmp_path: Path) -> None:
    run.log.write_bytes(b"no log" * 100)
    with pytest.raises(RecordUnusable, match=f"begins with 0x.*{run.log}"):
        swept(run, tmp_path / "sweep")


def test_a_directory_that_cannot_be_made(run: Recording, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostLacks, match="cannot sweep in"):
        swept(run, tmp_path / "file")


def test_a_reading_that_e2fsprogs_do_not_share_is_no_measurement(
    run: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_reader, "read_with_tools", lambda *_: {})
    with pytest.raises(CannotMeasure, match=r"cannot trust the reading of /policy after a cut"):
        swept(run, tmp_path / "sweep")


def test_a_moment_is_named_by_the_entries_so_far(run: Recording, tmp_path: Path) -> None:
    whole = recording.count_entries(run)
    log = tmp_path / "growing"
    growing = Recording(base=run.base, log=log, base_format=run.base_format)
    with pytest.raises(Mistake, match="there is no file"):
        recording.count_entries(growing)
    log.touch()
    assert recording.count_entries(growing) == 0
    log.write_bytes(run.log.read_bytes())
    assert recording.count_entries(growing) == whole
    # Counted, and not there yet.
    log.write_bytes(log_of([], 3))
    assert recording.count_entries(growing) == 0


def test_a_part_of_the_log_is_swept_alone(run: Recording, tmp_path: Path) -> None:
    with recording.opened(run, tmp_path) as it:
        flushes = [entry.number for entry in it.log.entries if entry.flags & FLUSH]
    choice = Choice(since=flushes[0] + 1, until=flushes[1] + 1, drop_one=False)
    result = swept(run, tmp_path / "sweep", choice=choice)
    assert [state.cut for state in result.distinct] == [Cut(1), Cut(2)]
    assert result.whole == result.distinct[1].digest
