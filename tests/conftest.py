# SPDX-License-Identifier: GPL-3.0-only
"""For all tests: pytester, and, in CI, no skip that README.md does not name."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

pytest_plugins = ["pytester"]

# No test is timed: a shared host can lose half of its CPU to others.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
# For those who ask whether a test fails, and not for the smallest example.
settings.register_profile(
    "noticing", settings.get_profile("untimed"), phases=(Phase.explicit, Phase.generate)
)

README = Path(__file__).resolve().parent.parent / "README.md"


def refused(reason: str) -> bool:
    """Whether a skip for this reason is a failure: in CI, when the README does not name it."""
    return os.environ.get("CI") == "true" and f"`{reason}`" not in README.read_text()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _turn_red(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        _turn_red(report)
    return report


def _turn_red(report: pytest.TestReport | pytest.CollectReport) -> None:
    text = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    reason = text.removeprefix("Skipped: ")
    if refused(reason):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}; README.md does not name this skip"
