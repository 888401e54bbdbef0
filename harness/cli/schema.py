# SPDX-License-Identifier: GPL-3.0-only
"""`harness schema`: the JSON schema of scenario files."""

from __future__ import annotations

import argparse
import json

from harness.scenario.schema import schema


def options(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def carry_out(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - a verb without options
    print(json.dumps(schema(), indent=2))
    return 0
