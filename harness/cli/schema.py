# SPDX-License-Identifier: GPL-3.0-only
"""`harness schema`: the JSON schemas of the files that people write."""

from __future__ import annotations

import argparse
import json

from harness.scenario.schema import catalogue_schema, gate_schema, matrix_schema, schema

_SCHEMAS = {
    "scenario": schema,
    "gate": gate_schema,
    "matrix": matrix_schema,
    "catalogue": catalogue_schema,
}


def options(parser: argparse.ArgumentParser) -> None:
    what = "whose schema (scenario)"
    parser.add_argument("file", nargs="?", choices=tuple(_SCHEMAS), default="scenario", help=what)


def carry_out(arguments: argparse.Namespace) -> int:
    print(json.dumps(_SCHEMAS[arguments.file](), indent=2))
    return 0
