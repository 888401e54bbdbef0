# SPDX-License-Identifier: GPL-3.0-only
"""`repeat` in a scenario: how often, from which seed, what is made different, and when it ends early."""

from __future__ import annotations

import re

from harness.model.rate import needed, percent
from harness.model.repeat import MOST_REPETITIONS, Perturb, Repeat, Stop
from harness.scenario.amounts import Whole
from harness.scenario.shapes import Choice, Field, Filled, ListOf, Record, Schema
from harness.scenario.source import Node, Problems, Scalar, describe

LARGEST_SEED = 2**63 - 1
_PERCENT = r"(\d{1,2}(?:\.\d{1,6})?) ?%"


class _Share:
    """A share in per cent, more than nothing and less than all."""

    def read(self, node: Node, at: str, problems: Problems) -> float | None:
        match = re.fullmatch(_PERCENT, node.text) if isinstance(node, Scalar) else None
        share = float(match[1]) / 100 if match else 0.0
        if share > 0:
            return share
        problems.add(node.span, f"{at} is {describe(node)}", expected="per cent, such as 5 %")
        return None

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{_PERCENT}$"}


_TIMES = Whole(1, MOST_REPETITIONS)
_FIELDS = Record(
    "'repeat'",
    {
        "times": Field(_TIMES, "how many repetitions; by default as many as 'until' needs"),
        "seed": Field(Whole(0, LARGEST_SEED), "what the differences are made from (1)"),
        "stop": Field(Choice("stop", tuple(Stop)), "'violated': at the first that is; 'never': all are run"),
        "perturb": Field(ListOf(Choice("perturbation", tuple(Perturb))), "what is made different (all)"),
        "until": Field(_Share(), "end once it is shown that fewer than this are VIOLATED"),
    },
)


class _Repeat:
    """A number, or a mapping with more to say."""

    def read(self, node: Node, at: str, problems: Problems) -> Repeat | None:
        if isinstance(node, Scalar):
            times = _TIMES.read(node, at, problems)
            return Repeat(times) if times else None
        filled = _FIELDS.read(node, at, problems)
        repeat = _repeat(filled) if filled else None
        if repeat is None:
            return None
        wrong = impossible(repeat)
        if wrong:
            problems.add(node.span, f"{at}: {wrong}")
        return None if wrong else repeat

    def schema(self) -> Schema:
        return {"anyOf": [_TIMES.schema(), _FIELDS.schema()]}


REPEAT = _Repeat()


def _repeat(filled: Filled) -> Repeat:
    until = filled.get("until", 0.0)
    return Repeat(
        times=filled.get("times", needed(until) if until else 0),
        seed=filled.get("seed", 1),
        stop=Stop(filled.get("stop", Stop.VIOLATED)),
        perturb=tuple(dict.fromkeys(map(Perturb, filled.get("perturb", tuple(Perturb))))),
        until=until,
    )


def impossible(repeat: Repeat) -> str:
    """Why it cannot be done as asked, or an empty text."""
    if not repeat.times:
        return "says neither 'times' nor 'until'"
    if not repeat.until:
        return ""
    if repeat.stop is Stop.NEVER:
        return "'until' ends what 'stop: never' would not; a rate is only shown by a number fixed beforehand"
    if repeat.times < needed(repeat.until):
        shown = f"'below {percent(repeat.until)}' is shown by {needed(repeat.until)} repetitions"
        return f"{shown}, not by {min(repeat.times, MOST_REPETITIONS)}"
    if repeat.times > MOST_REPETITIONS:
        return f"'until' needs {repeat.times} repetitions; more than {MOST_REPETITIONS} are not done"
    return ""
