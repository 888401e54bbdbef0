# SPDX-License-Identifier: GPL-3.0-only
"""How long `harness judge` takes on records of 10 000, 100 000 and 1 000 000 occurrences, and its memory.

    python benchmarks/judge.py [COUNT…]

Makes each record in a temporary directory and judges it in a process of its own. What counts is the last
column but one: CPU time for each occurrence, as a multiple of that of the smallest record. It stays near
1 when judging is linear. Numbers of one run can be compared with each other, not with another host's.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.judge import judge_directory
from harness.model import codec
from harness.model.clock import GuestTime, HostTime
from harness.model.observation import PolicyKind
from harness.model.occurrence import (
    Executed,
    FileChange,
    FileChanged,
    FilterInstalled,
    Occurrence,
    UnitChanged,
)
from harness.model.plan import PlannedInvariant
from harness.model.wire import Heard, Occurred
from harness.record import WITNESS
from harness.registry import JUDGES
from tests.unit.builders import SPAN, fresh_revert
from tests.unit.paper_stream import told_unit

COUNTS = (10_000, 100_000, 1_000_000)
PER_LINE = 200
BOOTS = 4


def main(counts: tuple[int, ...]) -> None:
    """Print the table."""
    print(f"{'occurrences':>12} {'MB':>6} {'CPU s':>8} {'a second':>10} {'against first':>14} {'peak MB':>8}")
    first = 0.0
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            size = make_record(Path(name), count)
            seconds, peak = apart(Path(name))
        first = first or seconds / count
        ratio = seconds / count / first
        print(
            f"{count:>12} {size >> 20:>6} {seconds:>8.2f} {count / seconds:>10.0f} {ratio:>14.2f} {peak:>8}"
        )


def make_record(directory: Path, count: int) -> int:
    """A green run of four boots in which `count` more things happen; the size of what the witness said."""
    invariants = tuple(PlannedInvariant(name, {}, SPAN) for name in JUDGES)
    guest = fresh_revert(streams=True, invariants=invariants)
    guest.record(directory)
    with (directory / WITNESS).open("ab") as stream:
        for boot in range(1, BOOTS + 1):
            before = sum(of == boot for of, _, _ in guest.lines())
            for number, those in enumerate(_chunks(count // BOOTS), start=before + 1):
                said = codec.dumps(Occurred(f"boot-{boot}", number, those))
                stream.write(codec.dumps(Heard(HostTime(0), boot, said)).encode("ascii") + b"\n")
    return (directory / WITNESS).stat().st_size


def _chunks(count: int) -> Iterator[tuple[Occurrence, ...]]:
    chunk: list[Occurrence] = []
    for number in range(count):
        chunk.append(_one(number))
        if len(chunk) == PER_LINE:
            yield tuple(chunk)
            chunk = []
    if chunk:
        yield tuple(chunk)


def _one(number: int) -> Occurrence:
    """Mostly programs executed, as in a real guest, and some of everything else."""
    at = GuestTime(60_000_000_000 + number * 1_000_000)
    pid = 10_000 + number // 3 % 20_000
    match number % 10:
        case 0:
            name = f"snap.other{number % 50}.app"
            path = f"/var/lib/snapd/seccomp/bpf/{name}.bin"
            content = f"{number % 5000:064x}"
            return FileChanged(
                at=at,
                change=FileChange.WRITTEN,
                path=path,
                pid=pid,
                kind=PolicyKind.SECCOMP_BIN,
                name=name,
                sha256=content,
                parts={"whole": content},
            )
        case 1:
            return UnitChanged(
                at=at, unit=told_unit(f"snap.other{number % 50}.app.service", "active", "running")
            )
        case 2:
            return FilterInstalled(at=at, pid=pid)
        case _:
            return Executed(
                at=at,
                pid=pid,
                exe="/usr/bin/dash",
                ppid=pid - 1,
                argv=("/bin/sh", "-c", "true"),
                unit="cron.service",
            )


def apart(directory: Path) -> tuple[float, int]:
    """CPU seconds and peak resident MB of judging in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_judge, (directory,))


def _judge(directory: Path) -> tuple[float, int]:
    began = time.process_time()
    judge_directory(directory)
    seconds = time.process_time() - began
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or COUNTS)
