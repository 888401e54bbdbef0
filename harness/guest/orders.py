# SPDX-License-Identifier: GPL-3.0-only
"""Orders for the guest: held units, and files of faults, as a tar archive on a small disk of the run's own.

The early part of the seed unpacks it before systemd starts (harness.guest.seed); what it finds there is below
/run, and gone with the boot. The start of a held unit wants a service of ours and comes after it, and that
service's shell waits: nothing else is ordered, whoever asks for the unit is kept waiting, and it works for
every kind of unit and with every systemd since 229.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Mistake
from harness.model.plan import HoldUnit

ORDERS_SERIAL = "orders"
SIZE = 64 * 1024
"""Bytes of the disk, which is all zeroes when there are no orders: to tar an empty archive."""

_NO_FILES: Mapping[str, bytes] = {}
_UNITS = "run/systemd/system"
_HOLDS = "run/revert-safety/holds"

_SERVICE = """\
[Unit]
Description=Keeps {unit} from starting for the revert-safety harness
DefaultDependencies=no

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
ExecStart=/bin/sh /{holds}/{number}
"""

_DROP_IN = """\
[Unit]
Wants={service}
After={service}
"""


@dataclass(slots=True)
class _Order:
    hold: HoldUnit
    boots: int = 0


class Orders:
    """The orders on one machine's disk; what is written there counts from the guest's next boot on.

    A hold that ends by itself is dropped once a whole boot has had it from its beginning. `holds` are those
    of an earlier machine that go on.
    """

    def __init__(self, disk: Path, holds: Iterable[HoldUnit] = ()) -> None:
        self.disk = disk
        self._orders = [_Order(hold) for hold in holds]
        self._files: dict[str, bytes] = {}
        disk.touch()
        self._write()

    def add(self, hold: HoldUnit) -> None:
        """Add a hold. Raises Mistake when there is no room for its command."""
        self._orders.append(_Order(hold))
        self._write()

    def drop(self, number: int) -> bool:
        """Forget the hold of this number; whether the guest's boot began with it."""
        dropped = [order for order in self._orders if order.hold.number == number]
        self._orders = [order for order in self._orders if order.hold.number != number]
        self._write()
        return any(order.boots for order in dropped)

    def put(self, files: Mapping[str, bytes]) -> None:
        """Add files, by their paths without the first slash. Raises Mistake when there is no room."""
        self._files |= files
        self._write()

    def take_back(self, files: Mapping[str, bytes]) -> None:
        """Forget these files."""
        self._files = {path: content for path, content in self._files.items() if path not in files}
        self._write()

    def booted(self) -> None:
        """A boot has read them."""
        for order in self._orders:
            order.boots += 1
        self._orders = [order for order in self._orders if not (order.boots and order.hold.ends_itself)]
        self._write()

    def _write(self) -> None:
        raw = archive((order.hold for order in self._orders), self._files)
        with self.disk.open("r+b") as file:
            file.write(raw.ljust(SIZE, b"\0"))


def archive(holds: Iterable[HoldUnit], files: Mapping[str, bytes] = _NO_FILES) -> bytes:
    """The archive for these holds and files. Raises Mistake when it is larger than the disk."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for hold in holds:
            for path, content in _files(hold).items():
                _add(tar, path, content)
            fifo = tarfile.TarInfo(f"{_HOLDS}/{hold.number}.fifo")
            fifo.type, fifo.mode = tarfile.FIFOTYPE, 0o600
            tar.addfile(fifo)
        for path, content in files.items():
            _add(tar, path, content)
    if len(raw.getvalue()) > SIZE:
        raise Mistake(
            f"cannot hold units: what they wait for takes {len(raw.getvalue())} bytes, {SIZE} are there",
            hint="put long commands into a script by a 'run' step",
        )
    return raw.getvalue()


def _add(tar: tarfile.TarFile, path: str, content: bytes) -> None:
    member = tarfile.TarInfo(path)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _files(hold: HoldUnit) -> Mapping[str, bytes]:
    number, unit = hold.number, hold.unit
    service = hold.service
    texts = {
        f"{_UNITS}/{service}": _SERVICE.format(unit=unit, holds=_HOLDS, number=number),
        f"{_UNITS}/{unit}.d/revert-safety-hold-{number}.conf": _DROP_IN.format(service=service),
        f"{_HOLDS}/{number}": _script(hold),
        f"{_HOLDS}/{number}.until": hold.until,
    }
    return {path: text.encode() for path, text in texts.items() if text}


def _script(hold: HoldUnit) -> str:
    if hold.seconds:
        return f"exec sleep {hold.seconds:.3f}\n"
    if hold.until:
        return f"until sh /{_HOLDS}/{hold.number}.until >/dev/null 2>&1; do sleep 0.2; done\n"
    return f"read -r line </{_HOLDS}/{hold.number}.fifo\n"
