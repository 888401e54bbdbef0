# SPDX-License-Identifier: GPL-3.0-only
"""`harness plan`: what would be done, without touching a machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli import gate_table, matrix_table, selection
from harness.errors import Mistake
from harness.planning import is_gate, is_scenario
from harness.scenario.explain import explain


def options(parser: argparse.ArgumentParser) -> None:
    selection.options(parser)


def carry_out(arguments: argparse.Namespace) -> int:
    """Print the steps of scenarios, and what a gate or a matrix lists."""
    if not all(map(is_scenario, arguments.scenarios)):
        print(_listed(arguments), end="")
    else:
        print("\n\n".join(explain(plan).rstrip() for plan in selection.selected(arguments)))
    return 0


def _listed(arguments: argparse.Namespace) -> str:
    file: Path = arguments.scenarios[0]
    others = (arguments.set_variant, arguments.repeat, arguments.seed, arguments.only_repetition)
    if len(arguments.scenarios) > 1 or any(others):
        kind = "gate" if any(map(is_gate, arguments.scenarios)) else "matrix"
        raise Mistake(f"cannot plan a {kind} with anything else than --catalogue", hint="give the file alone")
    if is_gate(file):
        return gate_table.explain(selection.selected_gate(file, arguments.catalogue))
    return matrix_table.explain(selection.selected_matrix(file, arguments.catalogue))
