# SPDX-License-Identifier: GPL-3.0-only
"""Faults in rates, in what repetitions come to, and in what is different in each."""

from __future__ import annotations

from tests.faults.fault import Fault

RATE = ("tests/unit/model/test_rate.py",)
SERIES = ("tests/unit/test_results_series.py", "tests/unit/cli/test_repeat.py")
REPEAT = ("tests/unit/scenario/test_repeat.py",)

RATE_FAULTS = (
    Fault(
        "model/rate.py",
        "an interval has all of the error on each side",
        "_upper(self.of - self.count, self.of, _ERROR / 2), ",
        "_upper(self.of - self.count, self.of, _ERROR), ",
        RATE,
    ),
    Fault(
        "model/rate.py",
        "a tail lacks its last term",
        "for k in range(count + 1)",
        "for k in range(count)",
        RATE,
    ),
    Fault(
        "model/rate.py",
        "a bound is rounded towards the rate",
        "percent(self.below, math.ceil)",
        "percent(self.below, math.floor)",
        RATE,
    ),
    Fault(
        "results_series.py",
        "UNPROVEN repetitions count as HELD",
        "count[Came.VIOLATED] + count[Came.HELD])",
        "len(came) - count[Came.ERROR])",
        SERIES,
    ),
    Fault(
        "results_series.py",
        "repeating ends one repetition too early",
        "rate.of >= needed(",
        "rate.of + 1 >= needed(",
        SERIES,
    ),
    Fault(
        "results_series.py",
        "a race that was lost is run on and away",
        "repeat.stop is Stop.VIOLATED and rate.count",
        "repeat.stop is Stop.NEVER and rate.count",
        SERIES,
    ),
    Fault(
        "scenario/perturb.py",
        "the number of a repetition makes no difference",
        "{repeat.seed} {number} {what}",
        "{repeat.seed} {what}",
        REPEAT,
    ),
    Fault(
        "scenario/perturb.py",
        "what is different depends on how many repetitions there are",
        "{repeat.seed} {number} {what}",
        "{repeat.seed} {repeat.times} {number} {what}",
        REPEAT,
    ),
    Fault(
        "scenario/repeat.py",
        "a bound that so few repetitions cannot show is accepted",
        "repeat.times < needed(repeat.until)",
        "repeat.times < 1",
        REPEAT,
    ),
    Fault(
        "lab_spec.py",
        "the number of CPUs stays what it was",
        "cpus=different.cpus or wants.machine.cpus or options.cpus",
        "cpus=wants.machine.cpus or options.cpus",
        ("tests/unit/test_lab_spec.py",),
    ),
)
