# SPDX-License-Identifier: GPL-3.0-only
"""The terminal's page tells each boot start by start, where the witness told of them."""

from __future__ import annotations

import re

from harness.judge import judge
from harness.report.layout import WIDTH
from harness.report.text import render
from tests.unit.builders import BLUEZ, fresh_revert
from tests.unit.report.story import judged, stale_start


def test_each_start_has_a_line() -> None:
    timeline = stale_start().timeline()
    text = render(timeline, judged(timeline), colour=False)
    lines = [line for line in text.split("boot 3")[1].splitlines() if re.match(r" +\d+\.\d{3} s", line)]
    assert len(lines) == 3
    stale, _, fresh = lines
    assert re.fullmatch(rf" +6\.300 s +{re.escape(BLUEZ)} +stale +policy of 2\.77\.1", stale)
    assert re.fullmatch(rf" +22\.700 s +{re.escape(BLUEZ)} +fresh +policy of 2\.68\.3", fresh)
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_record_of_looks_alone_has_no_such_lines() -> None:
    timeline = fresh_revert(streams=False).timeline()
    assert "starts of services" not in render(timeline, judge(timeline), colour=False)
