# SPDX-License-Identifier: GPL-3.0-only
"""What a run cost, boot by boot and step by step, from its record: benchmarks/costs.py RUNDIR…

Prints a Markdown table for each run. Seconds depend on the host and on what else it does, so a table
ends with the share of each boot in the whole run, which compares between hosts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from harness.model.event import BootBegan, MemoryRead, StartRepeated, StepBegan, StepEnded
from harness.model.timeline import Timeline
from harness.record import read_timeline


def steps(timeline: Timeline) -> Iterator[tuple[int, str, float]]:
    """Each ended step with the boot that it began in, its title and its seconds."""
    boot, titles = 1, {}
    for recorded in timeline.events:
        match recorded.event:
            case BootBegan(number):
                boot = number
            case StepBegan(number, title):
                titles[number] = (boot, title)
            case StepEnded(number, seconds):
                yield *titles[number], seconds
            case _:
                continue


def table(timeline: Timeline) -> Iterator[str]:
    """The run as lines of Markdown."""
    rows = list(steps(timeline))
    whole = sum(seconds for _, _, seconds in rows)
    yield f"| {timeline.plan.title} | seconds |"
    yield "|---|---:|"
    for boot in sorted({boot for boot, _, _ in rows}):
        mine = [(title, seconds) for at, title, seconds in rows if at == boot]
        total = sum(seconds for _, seconds in mine)
        yield f"| **boot {boot}** ({total / whole:.0%}) | **{total:.0f}** |"
        yield from (f"| {title} | {seconds:.1f} |" for title, seconds in mine)
    yield f"| **whole run** | **{whole:.0f}** |"
    for recorded in timeline.events:
        if isinstance(start := recorded.event, StartRepeated):
            rest = sum(seconds for boot, _, seconds in rows if boot > 1)
            yield f"| **without boot 1, which was there since {start.made}** | **{rest:.0f}** |"
        if isinstance(memory := recorded.event, MemoryRead):
            qemu, harness = memory.qemu_peak // 1024, memory.harness_peak // 1024
            yield f"| highest resident memory: QEMU, harness | {qemu} MiB, {harness} MiB |"


if __name__ == "__main__":
    for directory in sys.argv[1:]:
        print("\n".join(table(read_timeline(Path(directory)))), end="\n\n")
