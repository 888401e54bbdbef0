# SPDX-License-Identifier: GPL-3.0-only
"""The command line: one file per verb."""

from harness.cli.program import main as main
