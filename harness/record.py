# SPDX-License-Identifier: GPL-3.0-only
"""The record of a run, read back as a timeline.

Nothing that is in a record is ever changed. What cannot be read back is told as a gap, never left out in
silence: a record with a hole in it must not look like one in which nothing happened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import RecordUnusable
from harness.model import codec
from harness.model.clock import GuestTime, HostTime
from harness.model.console import readable
from harness.model.event import (
    RECORD_FORMAT,
    ArtifactUsed,
    BootBegan,
    BootEnded,
    BootReady,
    CheckRead,
    Event,
    LookTaken,
    Recorded,
    RunClosed,
    RunFailed,
    RunOpened,
)
from harness.model.observation import Look
from harness.model.plan import PLAN_FORMAT, Plan
from harness.model.timeline import RECORDING, BootRecord, ConsoleLine, SeenLook, SeenOccurrence, Timeline
from harness.model.wire import Heard, Looked, Occurred, Said

PLAN = "plan.json"
EVENTS = "events.jsonl"
WITNESS = "witness.jsonl"
CONSOLE = "console.log"


def _sha256(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def read_timeline(directory: Path) -> Timeline:
    """Read a run directory back, boot by boot; what is missing or torn is in the timeline's `gaps`.

    Raises RecordUnusable when plan.json or events.jsonl is missing or of another format.
    """
    gaps: list[str] = []
    written = _needed(directory / PLAN)
    plan = _read_plan(written)
    events = tuple(_read_events(directory / EVENTS, gaps))
    _check_events(_sha256(written.removesuffix(b"\n")), events, gaps)
    heard = _read_witness(directory / WITNESS, gaps)
    console = _read(directory / CONSOLE)
    if console is None:
        gaps.append(f"{CONSOLE} is missing")
    boots = tuple(_boots(events, heard, console or b"", gaps))
    recording = _recording(directory, gaps) if plan.cut else None
    return Timeline(
        plan=plan,
        boots=boots,
        artifacts=tuple(e.event for e in events if isinstance(e.event, ArtifactUsed)),
        events=events,
        gaps=tuple(gaps),
        failure=next((e.event for e in events if isinstance(e.event, RunFailed)), None),
        recording=recording,
    )


def read_plan(directory: Path) -> Plan:
    """The plan of a run.

    Raises RecordUnusable when plan.json is missing or of another format.
    """
    return _read_plan(_needed(directory / PLAN))


def is_closed(directory: Path) -> bool:
    """Whether the record is that of a whole run of the plan beside it: opened once, and closed in the end.

    Raises RecordUnusable as `read_timeline` does.
    """
    gaps: list[str] = []
    written = _needed(directory / PLAN)
    events = tuple(_read_events(directory / EVENTS, gaps))
    _check_events(_sha256(written.removesuffix(b"\n")), events, gaps)
    return not gaps


def _recording(directory: Path, gaps: list[str]) -> Timeline | None:
    """The run that was cut, from the copy of its record."""
    try:
        recording = read_timeline(directory / RECORDING)
    except RecordUnusable as error:
        gaps.append(f"the record of the run that was cut: {error.message}")
        return None
    gaps += (f"{RECORDING}: {gap}" for gap in recording.gaps)
    return recording


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordUnusable(f"cannot read the record: {path.name}: {error.strerror}") from error


def _needed(path: Path) -> bytes:
    data = _read(path)
    if data is None:
        hint = "a run directory holds plan.json, events.jsonl, witness.jsonl and console.log"
        raise RecordUnusable(f"cannot read the record: {path.name} is missing", hint=hint)
    return data


def _read_plan(written: bytes) -> Plan:
    try:
        data = json.loads(written)
        found = data.get("format") if isinstance(data, dict) else None
        if found != PLAN_FORMAT:
            raise RecordUnusable(f"cannot read {PLAN}: format {found!r}, this harness reads {PLAN_FORMAT}")
        plan: Plan = codec.decode(Plan, data)
    except (ValueError, RecursionError) as error:
        raise RecordUnusable(f"cannot read {PLAN}: {error}") from error
    return plan


def _lines_of(path: Path, gaps: list[str]) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that may be too large to be held, or absent."""
    try:
        with path.open("rb") as stream:
            yield from ((number, line) for number, line in enumerate(stream, start=1) if line.strip())
    except FileNotFoundError:
        gaps.append(f"{path.name} is missing")
    except OSError as error:
        raise RecordUnusable(f"cannot read the record: {path.name}: {error.strerror}") from error


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(data.split(b"\n"), start=1) if line.strip())


def _read_events(path: Path, gaps: list[str]) -> Iterator[Recorded]:
    for number, line in _lines(_needed(path)):
        try:
            recorded = read_event(number, line)
        except codec.Undecodable as error:
            gaps.append(f"{EVENTS}:{number} cannot be read: {error}")
            continue
        yield recorded


def read_event(number: int, line: bytes) -> Recorded:
    """A line of events.jsonl; raises codec.Undecodable, and RecordUnusable when it is of another format."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise codec.Undecodable(f"$: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise codec.Undecodable("$: expected a mapping")
    _check_format(data.get("event"))
    at = codec.decode(HostTime, data.get("at"), "$.at")
    return Recorded(number, at, codec.decode(Event, data.get("event"), "$.event"))


def _check_format(event: object) -> None:
    """Look at the format before anything else, because another format may have other fields."""
    if isinstance(event, dict) and event.get("type") == codec.tag_of(RunOpened):
        found = event.get("format")
        if found != RECORD_FORMAT:
            raise RecordUnusable(
                f"cannot read {EVENTS}: format {found!r}, this harness reads {RECORD_FORMAT}"
            )


def _check_events(plan_digest: str, events: tuple[Recorded, ...], gaps: list[str]) -> None:
    opened = [e.event for e in events if isinstance(e.event, RunOpened)]
    if len(opened) != 1:
        gaps.append(f"{EVENTS} has {len(opened)} opening lines instead of one")
    if any(o.plan_sha256 != plan_digest for o in opened):
        gaps.append(f"{EVENTS} was recorded for another {PLAN}")
    if not any(isinstance(e.event, RunClosed) and e.event.complete for e in events):
        gaps.append(f"{EVENTS} does not end with the line that closes a whole run")


@dataclass(slots=True)
class _Witnessed:
    """Looks by boot and the number that the guest gave them, occurrences and their lines' numbers by boot.

    `counted` is how many such lines the guest said it had sent, by boot.
    """

    looks: dict[tuple[int, int], tuple[int, Look]] = field(default_factory=dict)
    occurrences: dict[int, list[SeenOccurrence]] = field(default_factory=dict)
    numbers: dict[int, list[int]] = field(default_factory=dict)
    counted: dict[int, int] = field(default_factory=dict)


def _read_witness(path: Path, gaps: list[str]) -> _Witnessed:
    witnessed = _Witnessed()
    for number, line in _lines_of(path, gaps):
        try:
            heard: Heard = codec.loads(Heard, line)
            said: Said = codec.loads(Said, heard.said)
        except codec.Undecodable as error:
            gaps.append(f"{WITNESS}:{number} cannot be read: {error}")
            continue
        _note(said, heard.boot, number, witnessed, gaps)
    for boot in sorted(witnessed.numbers.keys() | witnessed.counted.keys()):
        numbers = witnessed.numbers.get(boot, [])
        if numbers != list(range(1, len(numbers) + 1)) or len(numbers) < witnessed.counted.get(boot, 0):
            gaps.append(f"{WITNESS} lacks some of what happened in boot {boot}: a line is missing")
    return witnessed


def _note(said: Said, boot: int, line: int, witnessed: _Witnessed, gaps: list[str]) -> None:
    match said:
        case Looked(look=look, occurred=occurred):
            witnessed.counted[boot] = max(witnessed.counted.get(boot, 0), occurred)
            if (boot, look.number) in witnessed.looks:
                gaps.append(f"{WITNESS}:{line} repeats look {look.number} of boot {boot}")
            witnessed.looks.setdefault((boot, look.number), (line, look))
        case Occurred(number=number, occurrences=occurrences):
            witnessed.numbers.setdefault(boot, []).append(number)
            seen = witnessed.occurrences.setdefault(boot, [])
            seen += [SeenOccurrence(line, occurrence) for occurrence in occurrences]
        case _:
            pass


def _boots(
    events: tuple[Recorded, ...], witnessed: _Witnessed, console: bytes, gaps: list[str]
) -> Iterator[BootRecord]:
    begun = [e.event for e in events if isinstance(e.event, BootBegan)]
    _check_boots(events, begun, console, gaps)
    ends = [*(began.console_offset for began in begun[1:]), len(console)]
    by_boot: dict[object, list[Recorded]] = {}
    for recorded in events:
        by_boot.setdefault(getattr(recorded.event, "boot", None), []).append(recorded)
    for began, end in zip(begun, ends, strict=False):
        of_boot = by_boot[began.boot]
        yield BootRecord(
            number=began.boot,
            boot_id=next((e.event.boot_id for e in of_boot if isinstance(e.event, BootReady)), ""),
            cause=began.cause,
            ended=next((e.event.how for e in of_boot if isinstance(e.event, BootEnded)), ""),
            looks=tuple(_looks_of(of_boot, witnessed.looks, gaps)),
            checks=tuple((e.line, e.event) for e in of_boot if isinstance(e.event, CheckRead)),
            console=tuple(_console(console, began.console_offset, end)),
            occurrences=tuple(sorted(witnessed.occurrences.get(began.boot, ()), key=_guest_time)),
        )


def _guest_time(seen: SeenOccurrence) -> GuestTime:
    return seen.occurrence.at


def _check_boots(events: Iterable[Recorded], begun: list[BootBegan], console: bytes, gaps: list[str]) -> None:
    known = {began.boot for began in begun}
    for recorded in events:
        boot = getattr(recorded.event, "boot", None)
        if boot is not None and boot not in known:
            gaps.append(f"{EVENTS}:{recorded.line} is about boot {boot}, whose beginning is not recorded")
    if len(known) != len(begun):
        gaps.append(f"{EVENTS} tells of the beginning of the same boot twice")
    offsets = [began.console_offset for began in begun]
    if [*offsets, len(console)] != sorted([*offsets, len(console)]):
        gaps.append(f"{CONSOLE} is shorter than {EVENTS} says")


def _looks_of(
    of_boot: Iterable[Recorded], looks: Mapping[tuple[int, int], tuple[int, Look]], gaps: list[str]
) -> Iterator[SeenLook]:
    for recorded in of_boot:
        taken = recorded.event
        if not isinstance(taken, LookTaken):
            continue
        found = looks.get((taken.boot, taken.look))
        if found:
            yield SeenLook(*found, taken)
        else:
            where = f"{EVENTS}:{recorded.line}"
            gaps.append(f"{WITNESS} lacks look {taken.look} of boot {taken.boot} (named in {where})")


def _console(data: bytes, start: int, end: int) -> Iterator[ConsoleLine]:
    first = data.count(b"\n", 0, start) + 1
    for number, raw in enumerate(data[start:end].split(b"\n"), start=first):
        text = readable(raw)
        if text.strip():
            yield ConsoleLine(number, text)
