# SPDX-License-Identifier: GPL-3.0-only
"""One browser for the tests of a module, and the pages that they look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.judge import judge
from harness.report.html import render
from tests.browser.chromium import PROGRAM, Tab, tab
from tests.unit.builders import fresh_revert, key_put_back
from tests.unit.report.hostile import HOSTILE, crowded, said_by
from tests.unit.report.story import judged, stale_start


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    if shutil.which(PROGRAM) is None:
        pytest.skip("no Chromium to look at pages with: this release does not have it as a package")
    with tab(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each sort, by name."""
    story, crowd, looks = stale_start().timeline(), crowded(3_000), key_put_back().timeline()
    failed = fresh_revert().fail("cannot reboot: " + "no-space-anywhere-in-these-words" * 40).timeline()
    runs = {
        "story": (story, judged(story)),
        "looks": (looks, judge(looks)),
        "failed": (failed, judge(failed)),
        "crowded": (crowd, judge(crowd)),
        "hostile": said_by("".join(HOSTILE)),
        "endless": said_by("W" * 5000),
    }
    place = tmp_path_factory.mktemp("pages")
    for name, run in runs.items():
        (place / f"{name}.html").write_text(render(*run), encoding="utf-8")
    return {name: place / f"{name}.html" for name in runs}
