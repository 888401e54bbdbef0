# SPDX-License-Identifier: GPL-3.0-only
"""The options by which every verb that builds is told where things come from and where they are kept."""

from __future__ import annotations

import argparse
from pathlib import Path

CACHE = "where images, cores and snaps are kept (~/.cache/revert-safety)"
MIRROR = "Debian mirror to build from (the one that this host's apt uses)"
SNAPSHOT = "build from the archive of that date, such as 20250520T000000Z"


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--cache", type=Path, metavar="DIR", help=CACHE)
    add("--mirror", default="", metavar="URL", help=MIRROR)
    add("--snapshot", default="", metavar="DATE", help=SNAPSHOT)
    add("--snapshot-base", default="", metavar="URL", help="where dated archives are, when apt does not say")
