# SPDX-License-Identifier: GPL-3.0-only
"""The list of system packages and what the harness knows of them say the same."""

from __future__ import annotations

from pathlib import Path

from harness.host.programs import PACKAGES

ROOT = Path(__file__).resolve().parents[3]


def rows() -> list[list[str]]:
    lines = (ROOT / "ci" / "packages").read_text().splitlines()
    return [[word.strip() for word in line.split("|")] for line in lines if line and not line.startswith("#")]


def test_every_row_says_its_use_its_sign_and_why() -> None:
    assert all(len(row) == 4 and all(row) and row[0] in ("run", "test", "wish") for row in rows())


def test_every_program_that_is_called_comes_with_a_package_that_is_installed() -> None:
    installed = {row[1] for row in rows() if row[0] == "run"}
    assert set(PACKAGES.values()) <= installed


def test_a_program_that_shows_a_package_is_in_it() -> None:
    shown = {row[2]: row[1] for row in rows()}
    assert {program: PACKAGES[program] for program in shown if program in PACKAGES} == {
        program: package for program, package in shown.items() if program in PACKAGES
    }
