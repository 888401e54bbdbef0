# SPDX-License-Identifier: GPL-3.0-only
"""What a Python test can ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.pytest_plugin.runners import lab_options, tell

if TYPE_CHECKING:
    from harness.bench import Bench


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Bench:
    """Machines for Python tests: ``with lab.machine("scenarios/….yaml") as machine: …``."""
    from harness.bench import Bench  # noqa: PLC0415 - costs half a second, and collecting needs none of it

    return Bench(lab_options(pytestconfig), tell)
