# SPDX-License-Identifier: GPL-3.0-only
"""The options by which every verb that takes scenarios is told which ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.model.gate import PlannedGate
from harness.model.matrix import PlannedMatrix
from harness.model.plan import Plan
from harness.planning import find_catalogue, plan_all
from harness.planning_gate import plan_gate
from harness.planning_matrix import plan_matrix
from harness.planning_repeat import Again, repeated
from harness.scenario.catalogue import load_catalogue


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("scenarios", nargs="+", type=Path, metavar="SCENARIO", help="a scenario file, or a directory of them")
    catalogue_option(parser)
    add(
        "--set-variant",
        action="append",
        default=[],
        type=pair,
        metavar="KEY=VALUE",
        help="only this point of the matrix",
    )
    add("--repeat", type=int, metavar="N", help="run each scenario N times, each time a little differently")
    add("--seed", type=int, metavar="S", help="what those differences are made from")
    add("--only-repetition", type=int, metavar="K", help="only that one of the repetitions")


def catalogue_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--catalogue",
        type=Path,
        metavar="FILE",
        help="what names stand for (images/catalogue.yaml, looked for upwards)",
    )


def selected(arguments: argparse.Namespace) -> tuple[Plan, ...]:
    """:raise Mistakes: something in the files cannot be carried out; nothing has been started then."""
    plans = plan_all(arguments.scenarios, arguments.catalogue, dict(arguments.set_variant))
    return repeated(plans, Again(arguments.repeat, arguments.seed, arguments.only_repetition))


def selected_gate(file: Path, catalogue: Path | None) -> PlannedGate:
    """:raise Mistakes: something in the gate, or in a file that it lists, cannot be carried out."""
    return plan_gate(file, load_catalogue(catalogue or find_catalogue(file)))


def selected_matrix(file: Path, catalogue: Path | None) -> PlannedMatrix:
    """:raise Mistakes: something in the matrix, or in a file that it lists, cannot be carried out."""
    return plan_matrix(file, load_catalogue(catalogue or find_catalogue(file)))


def pair(text: str) -> tuple[str, str]:
    """:raise argparse.ArgumentTypeError: the text is not KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
