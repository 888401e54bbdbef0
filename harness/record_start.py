# SPDX-License-Identifier: GPL-3.0-only
"""Takes the record of a start, or of all, out of a run's; repeats a start's at the beginning of another's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.errors import HostLacks
from harness.model import codec
from harness.model.clock import HostTime
from harness.model.event import Recorded, StartRepeated
from harness.model.wire import Heard
from harness.record import CONSOLE, EVENTS, PLAN, WITNESS, read_event
from harness.record_writing import Recorder


def keep(run: Path, since: int, place: Path) -> None:
    """Copy what the run in the directory `run` recorded to `place`: its events after line `since`.

    :raise HostLacks: it cannot be written.
    """
    try:
        events = (run / EVENTS).read_bytes().splitlines(keepends=True)
        (place / EVENTS).write_bytes(b"".join(events[since:]))
        for name in (WITNESS, CONSOLE):
            shutil.copyfile(run / name, place / name)
    except OSError as error:
        raise HostLacks(f"cannot keep the record of {run.name}: {error.strerror}") from error


def keep_whole(run: Path, place: Path) -> None:
    """Copy all that the run in the directory `run` recorded to `place`, a new directory.

    :raise HostLacks: it cannot be written.
    """
    try:
        place.mkdir()
        shutil.copyfile(run / PLAN, place / PLAN)
    except OSError as error:
        raise HostLacks(f"cannot keep the record of {run.name}: {error.strerror}") from error
    keep(run, 0, place)


def repeat(place: Path, run: Path, record: Recorder) -> None:
    """Write what `keep` left in `place` into a record in the directory `run`, as if it happened now.

    :raise HostLacks: it cannot be read, or there is no room.
    """
    try:
        events = tuple(_events(place / EVENTS))
        later = record.clock() - events[0].at if events else 0
        shutil.copyfile(place / CONSOLE, run / CONSOLE)
        with (place / WITNESS).open("rb") as lines:
            for line in lines:
                heard: Heard = codec.loads(Heard, line)
                record.hear(replace(heard, at=HostTime(heard.at + later)))
    except (OSError, codec.Undecodable) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise HostLacks(
            f"cannot repeat the record of the start in {place}: {why}",
            hint="remove that directory; the next run makes it again",
        ) from error
    for recorded in events:
        if isinstance(recorded.event, StartRepeated):
            continue  # of the one that it goes on from
        record.repeat(recorded.event, HostTime(recorded.at + later))


def _events(path: Path) -> Iterator[Recorded]:
    with path.open("rb") as lines:
        yield from (read_event(number, line) for number, line in enumerate(lines, start=1))
