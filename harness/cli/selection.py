# SPDX-License-Identifier: GPL-3.0-only
"""The options by which every verb that takes scenarios is told which ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.model.plan import Plan
from harness.planning import plan_all


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("scenarios", nargs="+", type=Path, metavar="SCENARIO", help="a scenario file, or a directory of them")
    add(
        "--catalogue",
        type=Path,
        metavar="FILE",
        help="what names stand for (images/catalogue.yaml, looked for upwards)",
    )
    add(
        "--set-variant",
        action="append",
        default=[],
        type=_pair,
        metavar="KEY=VALUE",
        help="only this point of the matrix",
    )


def selected(arguments: argparse.Namespace) -> tuple[Plan, ...]:
    """:raise Mistakes: something in the files cannot be carried out; nothing has been started then."""
    return plan_all(arguments.scenarios, arguments.catalogue, dict(arguments.set_variant))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
