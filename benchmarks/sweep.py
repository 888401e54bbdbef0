# SPDX-License-Identifier: GPL-3.0-only
"""How many states of a disk a sweep looks at in a second, and what e2fsprogs and a copy would have cost.

    python benchmarks/sweep.py [BASE LOG [PATH…]]

BASE is a raw disk and LOG what was written to it (`Disk.write_log`), PATH what is policy on it. Without them
a disk of 150 files is made, of which 60 are replaced one after the other. Seconds are of CPU, which a busy
host does not stretch; what counts is the last column, states in one process against each of the others.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.cut.ext4 import Ext4
from harness.cut.policy_files import PolicyReader
from harness.cut.states import Choice, chosen_epochs, cuts, epochs
from harness.cut.walk import walk
from harness.host.process import run
from harness.model.sweep import POLICY_PATHS
from harness.qemu.command import DiskFormat
from harness.sweep import Recording
from harness.sweep.recording import Opened, opened
from harness.sweep.second_reader import read_with_tools
from harness.sweep.state_disk import state_disk
from tests.unit.cut.disks import debugfs, make_disk
from tests.unit.cut.write_logs import A_FLUSH, Write, log_of
from tests.unit.sweep.recordings import difference

FILES, REPLACED, SIZE = 150, 60, 30_000
SOME = 8  # states that e2fsprogs read and that are copied


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if arguments:
            recorded = Recording(base=Path(arguments[0]), log=Path(arguments[1]), base_format=DiskFormat.RAW)
            paths = tuple(arguments[2:]) or POLICY_PATHS
        else:
            recorded, paths = record(directory), ("/policy",)
        with opened(recorded, directory) as it:
            measure(it, directory, paths)


def measure(it: Opened, directory: Path, paths: tuple[str, ...]) -> None:
    """Look at all states, and have some of them read by e2fsprogs and made by copying."""
    entries, choice = it.log.entries, Choice()
    all_epochs = epochs(entries)
    found = cuts(entries, chosen_epochs(all_epochs, choice), choice)
    reader = PolicyReader(Ext4(it.contents), paths)
    digests = set()

    def look() -> None:
        digests.update(reader.read(view).digest for _, view in walk(it.contents, entries, all_epochs, found))

    rows = [("looked at, in one process", *cost(look, len(found)))]
    some = found[:: max(1, len(found) // SOME)][:SOME]
    disk = directory / "state.raw"
    copying = reading = (0.0, 0.0)
    for cut in some:
        with state_disk(it, cut, disk):
            reading = added(reading, cost(lambda: read_with_tools(disk, it.contents.part.start, paths), 1))
            copy = ["cp", "--sparse=always", disk, directory / "copy.raw"]
            copying = added(copying, cost(lambda copy=copy: run(copy), 1))
    rows += [
        ("recovered and read by e2fsprogs", *(each / len(some) for each in reading)),
        ("the disk copied", *(each / len(some) for each in copying)),
    ]
    print(f"{len(found)} states, {len(digests)} different policies, a log of {len(entries)} entries")
    print(f"{'for each state':<34} {'CPU ms':>8} {'ms':>8} {'a CPU second':>13} {'against first':>14}")
    for what, cpu, wall in rows:
        ratio = cpu / rows[0][1]
        print(f"{what:<34} {cpu * 1e3:>8.2f} {wall * 1e3:>8.2f} {1 / cpu:>13.0f} {ratio:>14.1f}")


def cost(act: Callable[[], object], times: int) -> tuple[float, float]:
    """CPU seconds of this process and its children, and seconds, each divided by `times`."""
    cpu, wall = cpu_seconds(), time.monotonic()
    act()
    return (cpu_seconds() - cpu) / times, (time.monotonic() - wall) / times


def cpu_seconds() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def added(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def record(directory: Path) -> Recording:
    """A run without a guest: debugfs replaces file after file, and a flush follows each."""
    files = {f"{number:03}": bytes([number]) * SIZE for number in range(FILES)}
    base = make_disk(directory / "base", files, "-b", "4096", size="64M")
    disk, new = directory / "later", directory / "new"
    disk.write_bytes(base.read_bytes())
    writes: list[Write] = []
    for number in range(REPLACED):
        before = disk.read_bytes()
        new.write_bytes(b"new" * 10_000)
        debugfs(disk, f"rm policy/{number:03}", f"write {new} policy/{number:03}")
        writes += [*difference(before, disk.read_bytes()), A_FLUSH]
    (directory / "log").write_bytes(log_of(writes))
    return Recording(base=base, log=directory / "log", base_format=DiskFormat.RAW)


if __name__ == "__main__":
    main(sys.argv[1:])
