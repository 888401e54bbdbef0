# SPDX-License-Identifier: GPL-3.0-only
"""A record is what was written, and says of itself where it is torn."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from harness.errors import HostLacks, RecordUnusable
from harness.model import codec
from harness.model.clock import GuestTime, HostTime
from harness.model.event import FingerprintUsed, MachineSaid
from harness.model.occurrence import Executed, FilterInstalled, Occurrence
from harness.model.wire import Heard, Occurred
from harness.record import CONSOLE, EVENTS, PLAN, WITNESS, read_timeline
from harness.record_writing import Recorder
from tests.unit.builders import NEW, OLD, fresh_revert, key_put_back
from tests.unit.fingerprints import fingerprint, with_fingerprints


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return fresh_revert(streams=False).record(tmp_path)


def edit_lines(path: Path, number: int, *instead: bytes) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number - 1 : number] = [line + b"\n" for line in instead]
    path.write_bytes(b"".join(lines))


def now() -> HostTime:
    return HostTime(0)


def test_what_was_written_is_read_back(run: Path) -> None:
    assert read_timeline(run) == fresh_revert(streams=False).timeline()


def test_fingerprints_are_read_back_with_their_lines(tmp_path: Path) -> None:
    guest = with_fingerprints(fresh_revert(streams=False), [fingerprint(OLD), fingerprint(NEW)])
    timeline = read_timeline(guest.record(tmp_path))
    assert timeline == guest.timeline()
    assert timeline.gaps == ()
    lines = (tmp_path / EVENTS).read_text().splitlines()
    for recorded in timeline.events:
        assert isinstance(recorded.event, FingerprintUsed) == ("fingerprint-used" in lines[recorded.line - 1])


def test_a_torn_fingerprint_is_a_gap(tmp_path: Path) -> None:
    run = with_fingerprints(fresh_revert(streams=False), [fingerprint(OLD)]).record(tmp_path)
    lines = (run / EVENTS).read_bytes().splitlines()
    (number,) = (n for n, line in enumerate(lines, start=1) if b"fingerprint-used" in line)
    edit_lines(run / EVENTS, number, lines[number - 1].replace(b'"seccomp":{', b'"seccomp":{"x":7,'))
    (gap,) = read_timeline(run).gaps
    assert gap.startswith(f"{EVENTS}:{number} cannot be read: $.event.fingerprint.seccomp.x: expected a list")


def test_a_whole_record_has_no_gaps(run: Path) -> None:
    assert read_timeline(run).gaps == ()


def test_a_record_is_never_overwritten(run: Path) -> None:
    before = (run / EVENTS).read_bytes()
    with pytest.raises(RecordUnusable, match="already there"):
        Recorder(run, now)
    assert (run / EVENTS).read_bytes() == before


def test_a_directory_that_cannot_be_written_is_the_hosts_failure(tmp_path: Path) -> None:
    with pytest.raises(HostLacks):
        Recorder(tmp_path / "absent", now)


def test_every_line_is_there_before_the_record_is_closed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, now)
    recorder.write(MachineSaid("RESET", {}))
    recorder.hear(Heard(now(), 1, "x"))
    assert (tmp_path / EVENTS).read_bytes().endswith(b"}\n")
    assert (tmp_path / WITNESS).read_bytes().endswith(b"}\n")
    recorder.close()


def test_threads_write_one_after_the_other(tmp_path: Path) -> None:
    inside: list[int] = []
    met: list[int] = []

    def clock() -> HostTime:
        inside.append(1)
        met.append(len(inside))
        os.sched_yield()  # lets another thread in, if nothing keeps it out
        inside.pop()
        return HostTime(len(met))

    with Recorder(tmp_path, clock) as recorder:

        def write(name: int) -> None:
            for _ in range(500):
                recorder.write(MachineSaid(str(name) * 50, {}))

        threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    times = [json.loads(line)["at"] for line in (tmp_path / EVENTS).read_text().splitlines()]
    assert times == list(range(1, 2001))
    assert max(met) == 1


def test_the_returned_place_is_the_line(tmp_path: Path) -> None:
    with Recorder(tmp_path, now) as recorder:
        assert [recorder.write(MachineSaid("A", {})).line for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("name", [PLAN, EVENTS])
def test_without_plan_or_events_there_is_no_record(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(RecordUnusable, match=name):
        read_timeline(run)


@pytest.mark.parametrize("name", [WITNESS, CONSOLE])
def test_another_missing_file_is_a_gap(run: Path, name: str) -> None:
    (run / name).unlink()
    assert any(name in gap for gap in read_timeline(run).gaps)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b'{"format":99,"type":"plan"}'])
def test_a_plan_of_another_form_is_unusable(run: Path, text: bytes) -> None:
    (run / PLAN).write_bytes(text)
    with pytest.raises(RecordUnusable):
        read_timeline(run)


def test_events_of_another_format_are_unusable(run: Path) -> None:
    edit_lines(run / EVENTS, 1, b'{"at":0,"event":{"type":"run-opened","format":2,"other":1}}')
    with pytest.raises(RecordUnusable, match="format 2"):
        read_timeline(run)


def test_a_torn_last_line_is_a_gap_and_the_rest_is_read(run: Path) -> None:
    whole = (run / EVENTS).read_bytes()
    (run / EVENTS).write_bytes(whole[:-20])
    timeline = read_timeline(run)
    assert len(timeline.events) == whole.count(b"\n") - 1
    assert any("cannot be read" in gap for gap in timeline.gaps)
    assert any("closes a whole run" in gap for gap in timeline.gaps)


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff\xfe", b"[1]", b"null", b'{"at":"x","event":{}}', b"[" * 100_000]
)
@pytest.mark.parametrize("name", [EVENTS, WITNESS])
def test_garbage_is_a_gap_with_its_line(run: Path, name: str, garbage: bytes) -> None:
    edit_lines(run / name, 3, garbage)
    assert any(gap.startswith(f"{name}:3 ") for gap in read_timeline(run).gaps)


def test_a_missing_look_is_a_gap(run: Path) -> None:
    edit_lines(run / WITNESS, 1)
    timeline = read_timeline(run)
    assert any("lacks look 1 of boot 1" in gap for gap in timeline.gaps)
    assert timeline.boots[0].looks == ()


def test_a_repeated_look_is_a_gap_and_the_first_counts(run: Path) -> None:
    second = (run / WITNESS).read_bytes().splitlines()[3]
    lie = second.replace(b"core/2.68.3", b"core/6.66.6")
    assert lie != second
    (run / WITNESS).write_bytes((run / WITNESS).read_bytes() + lie + b"\n")
    timeline = read_timeline(run)
    assert any("repeats look" in gap for gap in timeline.gaps)
    assert "6.66.6" not in codec.dumps(timeline.boots[2].looks[0].look)


def test_a_plan_that_was_exchanged_is_a_gap(run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = key_put_back().record(tmp_path_factory.mktemp("other"))
    (run / PLAN).write_bytes((other / PLAN).read_bytes())
    assert any("another plan.json" in gap for gap in read_timeline(run).gaps)


def test_a_plan_of_which_only_bytes_were_changed_is_another(run: Path) -> None:
    (run / PLAN).write_bytes((run / PLAN).read_bytes().replace(b'"report":""', b'"report": ""'))
    assert any("another plan.json" in gap for gap in read_timeline(run).gaps)


def test_a_plan_written_before_a_field_was_added_is_still_its_record_s(run: Path) -> None:
    whole = (run / PLAN).read_bytes()
    older = whole.replace(b'"variant":{}', b'"a_field_of_another_harness":[],"variant":{}')
    (run / PLAN).write_bytes(older)
    digests = (hashlib.sha256(data.rstrip()).hexdigest().encode() for data in (whole, older))
    (run / EVENTS).write_bytes((run / EVENTS).read_bytes().replace(*digests))
    assert read_timeline(run).gaps == ()


def test_the_console_is_split_by_boot_and_safe(tmp_path: Path) -> None:
    guest = fresh_revert()
    guest.say("\x1b[31mred\x1b[0m \x07 \x9b2J \u00e9")
    boots = read_timeline(guest.record(tmp_path)).boots
    assert [boot.console[0].line for boot in boots] == [1, 2, 3, 4]
    assert boots[3].console[-1].text == "red \\x07 \\x9b2J é"


def test_a_console_shorter_than_its_boots_is_a_gap(run: Path) -> None:
    (run / CONSOLE).write_bytes(b"short\n")
    assert any("shorter" in gap for gap in read_timeline(run).gaps)


def test_events_of_a_boot_that_never_began_are_a_gap(run: Path) -> None:
    lines = (run / EVENTS).read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not (b'"boot-began"' in line and b'"boot":2' in line)]
    assert len(kept) == len(lines) - 1
    (run / EVENTS).write_bytes(b"".join(kept))
    assert any("whose beginning is not recorded" in gap for gap in read_timeline(run).gaps)


def occurred(number: int, *occurrences: Occurrence) -> str:
    return codec.dumps(Occurred("b1", number, occurrences))


def heard_too(run: Path, *said: str) -> int:
    """Append these words of the first boot; the number of the line before them."""
    before = (run / WITNESS).read_bytes()
    more = "".join(codec.dumps(Heard(now(), 1, each)) + "\n" for each in said)
    (run / WITNESS).write_bytes(before + more.encode())
    return before.count(b"\n")


def test_what_happened_comes_back_in_the_order_of_guest_time(run: Path) -> None:
    first = FilterInstalled(at=GuestTime(5), pid=1)
    other = FilterInstalled(at=GuestTime(5), pid=2)
    later = Executed(at=GuestTime(9), pid=1, exe="/bin/true")
    line = heard_too(run, occurred(1, later, first), occurred(2, other))
    timeline = read_timeline(run)
    seen = timeline.boots[0].occurrences
    assert [one.occurrence for one in seen] == [first, other, later]
    assert [one.line - line for one in seen] == [1, 2, 1]
    assert timeline.gaps == ()


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 1), (2, 1)])
def test_a_line_of_what_happened_that_is_missing_is_a_gap(run: Path, numbers: tuple[int, ...]) -> None:
    heard_too(run, *(occurred(number) for number in numbers))
    assert any("boot 1" in gap and "a line is missing" in gap for gap in read_timeline(run).gaps)
