# SPDX-License-Identifier: GPL-3.0-only
"""Which start a finding is shown at."""

from __future__ import annotations

import pytest

from harness.model.verdict import VERDICT_FORMAT, Evidence, Finding, Outcome, Verdict
from harness.policy.knowledge import Knowledge
from harness.report.numbered import numbered
from harness.report.starts import Start, starts
from tests.unit.builders import BLUEZ
from tests.unit.report.story import stale_start


def bluez_starts(*says: str) -> list[Start]:
    """The starts in the last boot of the story, judged by one violation that rests on this."""
    timeline = stale_start().timeline()
    evidence = tuple(Evidence("witness.jsonl", 1, each) for each in says)
    finding = Finding(
        "policy-from-running-snapd",
        Outcome.VIOLATED,
        "missing",
        BLUEZ,
        3,
        "it was to start",
        evidence=evidence,
    )
    verdict = Verdict(VERDICT_FORMAT, timeline.plan.title, Outcome.VIOLATED, (finding,))
    found = starts(timeline, Knowledge.of(timeline), numbered(verdict))
    return [start for start in found[3] if start.tag == BLUEZ]


def test_a_launcher_that_gave_up_is_no_start() -> None:
    dead = f"{BLUEZ}: process 3 executed /snap/core/x1/usr/lib/snapd/snap-confine"
    assert [start.kind for start in bluez_starts("snapd 2.57.6 runs: process 2", dead)] == ["", ""]


@pytest.mark.parametrize("says", ["snapd 2.57.6 runs: process 2", "the system-key names another build"])
def test_a_violation_that_names_no_process_of_the_service_is_shown_at_its_last_start(says: str) -> None:
    assert [start.kind for start in bluez_starts(says)] == ["", "missing"]


def test_a_violation_is_shown_at_the_start_that_it_names() -> None:
    first = bluez_starts()[0].pid
    assert [start.kind for start in bluez_starts(f"{BLUEZ}: process {first} executed it")] == ["missing", ""]
