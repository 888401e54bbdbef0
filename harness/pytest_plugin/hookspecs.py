# SPDX-License-Identifier: GPL-3.0-only
"""The hook by which a test suite puts something else in the place of real machines."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest

from harness.host.progress import Tell
from harness.results import Runner


@pytest.hookspec(firstresult=True)
def pytest_revert_safety_runner(config: pytest.Config, tell: Tell) -> AbstractContextManager[Runner] | None:
    """Give the runner of this session; the plugin's own one starts virtual machines."""
