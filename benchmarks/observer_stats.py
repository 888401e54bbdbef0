# SPDX-License-Identifier: GPL-3.0-only
"""The pure parts of benchmarks/observer.py: what systemd and the journal keep of a boot; how boots differ.

Times are seconds from the kernel's start (CLOCK_MONOTONIC).
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

WITNESS, HOLDS = "witness", "holds"
SNAPD = "snapd.service"
EXECUTED, READY = "snapd executed", "snapd READY"
AIM = 0.03
ROUNDS = 10_000
# On the way to a snap's program a service's main process is systemd's child, the client, the launcher and its
# last step; until its first exec the child is called `(command)`.
LAUNCHERS = ("systemd", "systemd-executor", "snap", "snapd", "snap-confine", "snap-exec", "snap-update-ns")


@dataclass(frozen=True, slots=True)
class Boot:
    """One measured boot, with what is compared or without; `error` is empty when it was measured.

    `moments` are by name; `cpu` is the whole guest's CPU time in seconds, `witness_cpu` the witness's.
    """

    number: int
    has_it: bool
    moments: Mapping[str, float] = field(default_factory=dict)
    cpu: float = 0.0
    witness_cpu: float = 0.0
    error: str = ""

    @property
    def last_start(self) -> float:
        """When the last service's own program first said something."""
        return max(self.moments[name] for name in _services(self))

    @property
    def order(self) -> tuple[str, ...]:
        """The moments' names as they came."""
        return tuple(sorted(self.moments, key=lambda name: self.moments[name]))


def parse_show(text: str) -> dict[str, dict[str, str]]:
    """The properties of each unit by its Id, from `systemctl show` of some units."""
    found: dict[str, dict[str, str]] = {}
    for block in text.split("\n\n"):
        lines = (line.partition("=") for line in block.splitlines() if "=" in line)
        properties = {name: value for name, _, value in lines}
        if "Id" in properties:
            found[properties["Id"]] = properties
    return found


def stamp(shown: Mapping[str, Mapping[str, str]], unit: str, name: str) -> float | None:
    """A `…TimestampMonotonic` of a unit in seconds; None when it has not happened."""
    text = shown.get(unit, {}).get(name, "")
    return int(text) / 1e6 if text.isdecimal() and int(text) else None


def first_of_program(journal: str, unit: str) -> float | None:
    """When the unit's own program said something for the first time; None when it has not.

    `journal` is what `journalctl -o json` prints; lines that are no entries are passed over.
    """
    stamps = [
        int(str(entry["__MONOTONIC_TIMESTAMP"]))
        for entry in _entries(journal)
        if entry.get("_SYSTEMD_UNIT") == unit and _is_of_program(entry)
    ]
    return min(stamps) / 1e6 if stamps else None


def _entries(journal: str) -> Iterator[dict[str, object]]:
    for line in journal.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and str(entry.get("__MONOTONIC_TIMESTAMP", "")).isdecimal():
            yield entry


def _is_of_program(entry: Mapping[str, object]) -> bool:
    name = str(entry.get("_EXE") or entry.get("_COMM") or "").rpartition("/")[2]
    return bool(name) and not name.startswith("(") and name not in LAUNCHERS


def busy_seconds(stat: str, ticks: int) -> float:
    """CPU time of the whole machine without idling, from the first line of /proc/stat."""
    fields = [int(word) for word in stat.split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / ticks  # idle and iowait (proc_stat(5))


def own_seconds(stat: str, ticks: int) -> float:
    """CPU time of a process, from its /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / ticks


def ratio_interval(
    ours: Sequence[float], theirs: Sequence[float], seed: int, rounds: int = ROUNDS
) -> tuple[float, float, float]:
    """The ratio of the medians, and its 95 % interval from `rounds` resamplings of both (bootstrap)."""
    chance = random.Random(seed)
    found = sorted(_median_of(ours, chance) / _median_of(theirs, chance) for _ in range(rounds))
    cut = round(rounds * 0.025)
    return median(ours) / median(theirs), found[cut], found[-1 - cut]


def _median_of(values: Sequence[float], chance: random.Random) -> float:
    return median(chance.choices(values, k=len(values)))


def same_distribution(
    ours: Sequence[object], theirs: Sequence[object], seed: int, rounds: int = ROUNDS
) -> float:
    """How likely a difference at least as large is when both come from one distribution.

    A permutation test on the chi-square statistic: it assumes nothing of how many there are of each kind.
    """
    chance = random.Random(seed)
    pool = [*ours, *theirs]
    seen = chi_square(ours, theirs)
    larger = 1  # the permutation that was observed
    for _ in range(rounds):
        chance.shuffle(pool)
        larger += chi_square(pool[: len(ours)], pool[len(ours) :]) >= seen
    return larger / (rounds + 1)


def chi_square(ours: Sequence[object], theirs: Sequence[object]) -> float:
    """Pearson's statistic of the table with a column for each kind; rounded: equal tables are equal."""
    kinds, mine, others = Counter((*ours, *theirs)), Counter(ours), Counter(theirs)
    share = len(ours) / (len(ours) + len(theirs))
    parts = (
        (mine[kind] - count * share) ** 2 / (count * share)
        + (others[kind] - count * (1 - share)) ** 2 / (count * (1 - share))
        for kind, count in kinds.items()
    )
    return round(sum(parts), 9)


def table(boots: Sequence[Boot], of: str, wanted: int, seed: int) -> list[str]:
    """The answer as lines of Markdown; `wanted` is how many boots with `of`, and without, there should be."""
    having = [boot for boot in boots if boot.has_it and not boot.error]
    alone = [boot for boot in boots if not boot.has_it and not boot.error]
    lines = [f"Measured boots: {len(having)} with {of}, {len(alone)} without, of {wanted} each way."]
    lines += [f"Boot {boot.number} failed: {boot.error}" for boot in boots if boot.error]
    if not having or not alone:
        return [*lines, "Nothing can be compared yet."]
    return [*lines, "", *_of_times(having, alone, seed), "", *_of_orders(having, alone, seed)]


def _of_times(having: list[Boot], alone: list[Boot], seed: int) -> Iterator[str]:
    yield "| median, in seconds | with | without | ratio | 95 % interval | aim |"
    yield "|---|---:|---:|---:|---:|---|"
    rows: list[tuple[str, Callable[[Boot], float], bool]] = [
        ("kernel start to the last service start", lambda boot: boot.last_start, True),
        (f"kernel start to {READY}", _reads(READY), True),
        *(
            (f"kernel start to the first words of {name}", _reads(name), False)
            for name in _services(alone[0])
        ),
        ("CPU time of the guest until it was asked", lambda boot: boot.cpu, False),
    ]
    for name, read, has_aim in rows:
        ours, theirs = [read(boot) for boot in having], [read(boot) for boot in alone]
        ratio, low, high = ratio_interval(ours, theirs, seed)
        met = "met" if abs(ratio - 1) <= AIM else "missed"
        aim = f"within {AIM:.0%}: {met}" if has_aim else ""
        yield (
            f"| {name} | {median(ours):.2f} | {median(theirs):.2f} | {ratio:.3f} | {low:.3f} to {high:.3f}"
            f" | {aim} |"
        )
    yield f"| CPU time of the witness | {median(boot.witness_cpu for boot in having):.2f} | | | | |"


def _services(boot: Boot) -> list[str]:
    return sorted(name for name in boot.moments if name not in (EXECUTED, READY))


def _reads(name: str) -> Callable[[Boot], float]:
    return lambda boot: boot.moments[name]


def _of_orders(having: list[Boot], alone: list[Boot], seed: int) -> Iterator[str]:
    ours, theirs = Counter(boot.order for boot in having), Counter(boot.order for boot in alone)
    yield "| order of starts | with | without |"
    yield "|---|---:|---:|"
    for order, _ in (ours + theirs).most_common():
        yield f"| {', '.join(order)} | {ours[order]} | {theirs[order]} |"
    chance = same_distribution([boot.order for boot in having], [boot.order for boot in alone], seed)
    yield ""
    yield f"Chance of orders at least as different by luck alone: {chance:.3f}"
