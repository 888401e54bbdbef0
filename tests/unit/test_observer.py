# SPDX-License-Identifier: GPL-3.0-only
"""The pure parts of benchmarks/observer.py: reading a boot, and comparing boots."""

from __future__ import annotations

import json
import random

import pytest

from benchmarks.observer import CUT, schedule, understood
from benchmarks.observer_stats import (
    EXECUTED,
    HOLDS,
    READY,
    WITNESS,
    Boot,
    busy_seconds,
    chi_square,
    first_of_program,
    own_seconds,
    parse_show,
    ratio_interval,
    same_distribution,
    stamp,
    table,
)
from harness.errors import CannotMeasure

UNIT = "snap.a.a.service"
SHOW = """\
Id=snapd.service
ExecMainStartTimestampMonotonic=21500000
ActiveEnterTimestampMonotonic=30250000

Id=other.service
ActiveEnterTimestampMonotonic=0
"""
STAT = "cpu  100 20 30 4000 500 6 7 8 0 0"


def entry(at: int, *, unit: str = UNIT, **fields: str) -> str:
    return json.dumps({"__MONOTONIC_TIMESTAMP": str(at), "_SYSTEMD_UNIT": unit, **fields})


def boot(number: int, has_it: bool, *starts: float, ready: float = 30.0, error: str = "") -> Boot:
    services = {f"s{place}": at for place, at in enumerate(starts)}
    return Boot(number, has_it, {EXECUTED: 20.0, READY: ready, **services}, 50.0, 3.0 * has_it, error)


def test_stamps_of_units_are_read() -> None:
    shown = parse_show(SHOW)
    assert stamp(shown, "snapd.service", "ActiveEnterTimestampMonotonic") == 30.25
    assert stamp(shown, "other.service", "ActiveEnterTimestampMonotonic") is None
    assert stamp(shown, "missing.service", "ActiveEnterTimestampMonotonic") is None


@pytest.mark.parametrize(
    ("fields", "is_program"),
    [
        ({"_EXE": "/snap/a/x1/bin/a", "_COMM": "snap"}, True),
        ({"_EXE": "/snap/core/1/usr/lib/snapd/snap-exec"}, False),
        ({"_EXE": "/usr/bin/snap"}, False),
        ({"_COMM": "bluetoothd"}, True),
        ({"_COMM": "(bluez)"}, False),
        ({"_COMM": "snap-confine"}, False),
        ({}, False),
    ],
)
def test_a_services_program_is_what_is_no_launcher(fields: dict[str, str], is_program: bool) -> None:
    assert first_of_program(entry(7_000_000, **fields), UNIT) == (7.0 if is_program else None)


def test_the_first_entry_of_the_program_counts() -> None:
    journal = "\n".join(
        [
            "no entry",
            "[1]",
            entry(1_000_000, _COMM="snap"),
            entry(2_000_000, _COMM="x", unit="snap.b.b.service"),
            entry(4_000_000, _COMM="a"),
            entry(3_000_000, _COMM="a"),
        ]
    )
    assert first_of_program(journal, UNIT) == 3.0


def test_cpu_time_is_without_idling() -> None:
    assert busy_seconds(STAT, 100) == 1.71
    assert own_seconds("7 (a) b) " + " ".join(map(str, range(3, 30))), 10) == 2.9


def test_a_boot_is_understood() -> None:
    parts = ["100", STAT, "", SHOW, entry(33_000_000, _COMM="a")]
    seen = understood(f"\n{CUT}\n".join(parts), ("snap.a.a", "snap.b.b"), 5, False)
    assert seen == Boot(5, False, {"snap.a.a": 33.0, EXECUTED: 21.5, READY: 30.25}, 1.71, 0.0)
    assert (seen.last_start, seen.order) == (33.0, (EXECUTED, READY, "snap.a.a"))


def test_what_is_no_boot_is_an_error_in_words() -> None:
    with pytest.raises(CannotMeasure, match="cannot read what the guest says"):
        understood("sh: getconf: not found", (), 1, True)


def test_ways_are_in_pairs_and_a_seed_repeats_them() -> None:
    ways = schedule(50, 1)
    assert [sum(pair) for pair in zip(ways[::2], ways[1::2], strict=True)] == [1] * 50
    assert len(set(zip(ways[::2], ways[1::2], strict=True))) == 2
    assert (ways, ways) == (schedule(50, 1), schedule(50, 1))
    assert ways != schedule(50, 2)


def test_an_interval_holds_the_true_ratio_and_tells_a_difference() -> None:
    chance = random.Random(3)
    theirs = [chance.gauss(40, 1) for _ in range(20)]
    ratio, low, high = ratio_interval([2 * value for value in theirs], theirs, seed=1, rounds=2000)
    assert ratio == pytest.approx(2)
    assert 1.9 < low < 2 < high < 2.1
    assert ratio_interval(theirs, theirs, seed=1, rounds=500) == ratio_interval(theirs, theirs, 1, 500)


def test_the_statistic_is_pearsons() -> None:
    # By hand: 10 each, expected 6 and 4 of each kind; 4 * (2*2)/6 and /4, twice.
    assert chi_square("aaaaaaaabb", "aaaabbbbbb") == pytest.approx(2 * (4 / 6 + 4 / 4))
    assert chi_square("ab", "ba") == 0


def test_equal_orders_are_likely_and_different_ones_are_not() -> None:
    assert same_distribution("ab" * 10, "ba" * 10, seed=1, rounds=500) == 1
    assert same_distribution("a" * 10, "b" * 10, seed=1, rounds=2000) < 0.01


def test_of_few_boots_the_chance_is_the_exact_one() -> None:
    # Of the 6 ways to deal two a and two b to two hands, 2 separate them.
    assert same_distribution("aa", "bb", seed=1, rounds=6000) == pytest.approx(1 / 3, abs=0.02)


def test_the_table_says_what_differs() -> None:
    boots = [boot(n, True, 40.0 + n, 41.0 + n) for n in range(4)]
    boots += [boot(n, False, 50.0 + n, 40.0 + n) for n in range(4)]
    text = "\n".join(table(boots, WITNESS, 4, seed=1))
    assert "4 with witness, 4 without, of 4 each way" in text
    assert "| kernel start to the last service start | 42.50 | 51.50 | 0.825 |" in text
    assert "within 3%: missed" in text
    assert "| kernel start to the first words of s1 | 42.50 | 41.50 | 1.024 |" in text
    assert "| kernel start to snapd READY | 30.00 | 30.00 | 1.000 | 1.000 to 1.000 | within 3%: met |" in text
    assert f"| {EXECUTED}, {READY}, s0, s1 | 4 | 0 |" in text
    assert f"| {EXECUTED}, {READY}, s1, s0 | 0 | 4 |" in text
    assert "| CPU time of the witness | 3.00 |" in text


def test_an_incomplete_run_says_what_it_has() -> None:
    lines = table(
        [boot(1, True, 40.0), boot(2, False, error="the guest's kernel panicked")], HOLDS, 20, seed=1
    )
    assert lines == [
        "Measured boots: 1 with holds, 0 without, of 20 each way.",
        "Boot 2 failed: the guest's kernel panicked",
        "Nothing can be compared yet.",
    ]
