# SPDX-License-Identifier: GPL-3.0-only
"""`harness plan`: what would be done, without touching a machine."""

from __future__ import annotations

import argparse

from harness.cli import gate_table, selection
from harness.errors import Mistake
from harness.planning import is_gate
from harness.scenario.explain import explain


def options(parser: argparse.ArgumentParser) -> None:
    selection.options(parser)


def carry_out(arguments: argparse.Namespace) -> int:
    """Print the steps of scenarios, and what a gate lists."""
    if any(map(is_gate, arguments.scenarios)):
        print(_gate(arguments), end="")
    else:
        print("\n\n".join(explain(plan).rstrip() for plan in selection.selected(arguments)))
    return 0


def _gate(arguments: argparse.Namespace) -> str:
    others = (arguments.set_variant, arguments.repeat, arguments.seed, arguments.only_repetition)
    if len(arguments.scenarios) > 1 or any(others):
        raise Mistake("cannot plan a gate with anything else than --catalogue", hint="give the file alone")
    return gate_table.explain(selection.selected_gate(arguments.scenarios[0], arguments.catalogue))
