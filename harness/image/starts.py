# SPDX-License-Identifier: GPL-3.0-only
"""Starts that were carried out before: the disk that each left, and its record, by all that it depends on.

Scenarios that start alike share one, so that the minutes which its installations take are spent once. A start
may go on from another one; its disk lies on the image's all the same, so that neither needs the other.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.errors import HostLacks
from harness.host import process
from harness.image.digest import key_of, write_json
from harness.image.store import MIB, Store, discard
from harness.model import codec
from harness.model.event import RECORD_FORMAT
from harness.model.plan import PlannedStep

# Raised when starts are carried out in another way, or leave something else.
START_FORMAT = 2
KIND = "starts"
# A start of three snaps leaves 90 MiB; every change of the witness makes new ones.
KEPT = 6
NEEDS = 1024 * MIB
_MADE = "made.json"
_BYTECODE = "bytecode"
_UNSETTLED = "unsettled.json"


@dataclass(frozen=True, slots=True)
class Carried:
    """What a start left beside its disk: the witness's bytecode, by file name, and what had not settled."""

    bytecode: Mapping[str, bytes]
    unsettled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """A start that is there, after which a run has had as many `boots`.

    `made` is what the guest's clock showed at its end (UTC, ISO 8601): when it was carried out, unless it
    goes on from an older one.
    """

    key: str
    place: Path
    made: str
    boots: int = 0

    @property
    def behind(self) -> timedelta:
        """How far behind the clock of a machine is that goes on from here now."""
        return datetime.now(UTC) - datetime.fromisoformat(self.made)

    @property
    def disk(self) -> Path:
        """A qcow2 on the image's, which nobody writes any more."""
        return disk_in(self.place)

    @property
    def bytecode(self) -> Mapping[str, bytes]:
        """The witness's, as the guest's Python compiled it; by file name."""
        return {path.name: path.read_bytes() for path in (self.place / _BYTECODE).glob("*")}


def keep_beside_disk(carried: Carried, place: Path) -> None:
    """Leave it with a start that is being made in `place`."""
    (place / _BYTECODE).mkdir()
    for name, content in carried.bytecode.items():
        (place / _BYTECODE / name).write_bytes(content)
    if carried.unsettled:
        write_json(place / _UNSETTLED, carried.unsettled)


def disk_in(place: Path) -> Path:
    """Where a start has its disk."""
    return place / "disk.qcow2"


def start_key(
    steps: Iterable[PlannedStep], image_key: str, snaps: Mapping[str, str], machine: Mapping[str, object]
) -> str:
    """The key of a start: what is done, with which bytes (`snaps`: sha256 by file name), on what.

    `machine` is whatever else may leave its traces on the disk or in the record.
    """
    done = [(step.number, step.title, codec.encode(step.action)) for step in steps]
    return key_of(
        kind="start",
        start=START_FORMAT,
        record=RECORD_FORMAT,
        steps=done,
        image=image_key,
        snaps=dict(snaps),
        machine=dict(machine),
    )


def obtain_start(key: str, image_disk: Path, take: Callable[[Path], timedelta], store: Store) -> Start:
    """The start under a key, made by `take(directory)` unless it is there; raises what `take` raises.

    One that has not settled when it is made is for this caller alone: the host was too busy for it, and not
    every later run is to suffer.

    `take` leaves `disk_in(directory)`, an overlay of `image_disk` or of another start's disk, and what else
    belongs to it, and returns how far behind the guest's clock is.

    :raise HostLacks: there is no room, or what lies there cannot be read.
    """

    def make(directory: Path) -> None:
        behind = take(directory)
        _lay_on(image_disk, disk_in(directory))
        write_json(directory / _MADE, f"{datetime.now(UTC) - behind:%Y-%m-%dT%H:%M:%SZ}")
        if (directory / _UNSETTLED).exists():
            raise _SetAside(_moved_aside(directory, store.root / KIND, key))

    try:
        place = store.obtain(KIND, key, make, needs=NEEDS)
    except _SetAside as one:
        place = one.place
    os.utime(place)
    _forget_oldest(store)
    return Start(key, place, _made(place))


class _SetAside(Exception):
    """A start that was made and is not to be found under its key."""

    def __init__(self, place: Path) -> None:
        super().__init__(str(place))
        self.place = place


def _moved_aside(directory: Path, starts: Path, key: str) -> Path:
    """Move it to a place of its own: nothing else may ever lie where its machines have their disk's base."""
    starts.mkdir(exist_ok=True)
    return directory.rename(tempfile.mkdtemp(prefix=f"{key}-", dir=starts))


def _lay_on(image_disk: Path, disk: Path) -> None:
    """Make the disk one on the image's alone, named by the way to it: the store may be moved."""
    way = os.path.relpath(image_disk, disk.parent)
    process.run(["qemu-img", "rebase", "-q", "-F", "qcow2", "-b", way, disk])


def _forget_oldest(store: Store) -> None:
    """A machine that still runs on one keeps it open, and so keeps its bytes."""
    by_use = sorted((store.root / KIND).iterdir(), key=lambda place: place.stat().st_mtime, reverse=True)
    for place in by_use[KEPT:]:
        discard(place)


def _made(place: Path) -> str:
    try:
        return str(json.loads((place / _MADE).read_bytes()))
    except (OSError, ValueError) as error:
        raise HostLacks(
            f"cannot read the start in {place}: {error}",
            hint="remove that directory; the next run makes it again",
        ) from error
