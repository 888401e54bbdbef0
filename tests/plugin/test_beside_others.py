# SPDX-License-Identifier: GPL-3.0-only
"""Whether machines run side by side, as pytest-xdist has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.pytest_plugin.runners import is_beside_others


@pytest.mark.parametrize(
    ("given", "told"),
    [({}, False), ({"workerinput": {"workercount": 1}}, False), ({"workerinput": {"workercount": 2}}, True)],
)
def test_it_is_the_number_of_workers_that_tells(given: dict[str, Any], told: bool) -> None:
    assert is_beside_others(SimpleNamespace(**given)) is told  # type: ignore[arg-type]


def test_xdist_calls_it_so(request: pytest.FixtureRequest, worker_id: str) -> None:
    """`worker_id` is xdist's own fixture; without workers it is `master`."""
    assert hasattr(request.config, "workerinput") is (worker_id != "master")
