# SPDX-License-Identifier: GPL-3.0-only
"""The JSON says what the page says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from harness.judge import judge
from harness.model.scenario import Control
from harness.report import data
from tests.unit.builders import BLUEZ, POLICY, SPAN, fresh_revert, key_put_back
from tests.unit.report.story import judged, stale_start


@pytest.fixture(scope="module")
def document() -> Any:
    timeline = stale_start().timeline()
    return json.loads(data.render(timeline, judged(timeline)))


def test_every_key_is_documented(document: Any) -> None:
    assert document["format"] == data.REPORT_FORMAT
    words = set(re.findall(r"[a-z_0-9]+", data.__doc__ or ""))
    boot = document["boots"][-1]
    lane = next(lane for lane in boot["lanes"] if lane["marks"] and lane["bars"])
    parts = (boot, lane, lane["marks"][0], lane["bars"][0], boot["edges"][0], boot["starts"][0])
    keys = {key for part in (document, document["versions"], document["plan"], *parts) for key in part}
    assert keys - words - {"type"} == set()


def test_it_carries_verdict_findings_and_their_evidence(document: Any) -> None:
    assert (document["outcome"], document["exit_code"], document["error"]) == ("VIOLATED", 1, "")
    finding = next(one for one in document["findings"] if one["summary"].startswith(f"{BLUEZ} started"))
    assert (finding["author"], finding["boot"], finding["kind"]) == ("2.77.1", 3, "stale")
    assert finding["evidence"][0]["file"] == "witness.jsonl"
    assert [one["number"] for one in document["findings"]] == list(range(1, len(document["findings"]) + 1))


def test_starts_and_edges_name_their_finding(document: Any) -> None:
    boot = document["boots"][-1]
    stale, fresh = (start for start in boot["starts"] if start["tag"] == BLUEZ)
    assert (stale["class"], stale["author"], fresh["class"]) == ("stale", "2.77.1", "fresh")
    broken = [edge for edge in boot["edges"] if edge["broken"]]
    assert {edge["finding"] for edge in broken if edge["to_lane"] == BLUEZ} == {stale["finding"]}


def test_steps_and_versions_are_there(document: Any) -> None:
    assert [step["title"] for step in document["steps"]] == document["plan"]["steps"]
    assert document["versions"]["qemu"].startswith("QEMU")
    assert {one["name"] for one in document["versions"]["artefacts"]} >= {"2.68.3", "2.77.1"}


def test_a_control_and_an_error_are_there() -> None:
    control = Control(SPAN, POLICY, (BLUEZ,), "2.68.3", "stale")
    timeline = key_put_back(control=control).timeline()
    assert json.loads(data.render(timeline, judge(timeline)))["control"]["as_expected"] is True
    failed = fresh_revert().fail("QEMU died").timeline()
    document = json.loads(data.render(failed, judge(failed)))
    assert (document["exit_code"], document["gaps"]) == (3, list(failed.gaps))
    assert "QEMU died" in document["error"]


def test_a_run_without_anything_has_a_document() -> None:
    empty = replace(fresh_revert().timeline(), boots=(), events=(), artifacts=())
    document = json.loads(data.render(empty, judge(empty)))
    assert (document["boots"], document["steps"], document["versions"]) == ([], [], {"artefacts": []})


def test_the_same_run_gives_the_same_bytes() -> None:
    timeline = stale_start().timeline()
    assert data.render(timeline, judged(timeline)) == data.render(timeline, judged(timeline))
