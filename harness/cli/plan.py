# SPDX-License-Identifier: GPL-3.0-only
"""`harness plan`: what would be done, without touching a machine."""

from __future__ import annotations

import argparse

from harness.cli import selection
from harness.scenario.explain import explain


def options(parser: argparse.ArgumentParser) -> None:
    selection.options(parser)


def carry_out(arguments: argparse.Namespace) -> int:
    print("\n\n".join(explain(plan).rstrip() for plan in selection.selected(arguments)))
    return 0
