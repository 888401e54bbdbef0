# SPDX-License-Identifier: GPL-3.0-only
"""Five ways to come out, five ways to read in JUnit."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from harness.errors import HarnessError, HostLacks, Mistake
from harness.judge import judge
from harness.model.scenario import Control
from harness.model.verdict import Verdict
from harness.report.junit import Case, document
from tests.unit.builders import BLUEZ, POLICY, SPAN, Guest, fresh_revert, key_put_back


def verdict(guest: Guest) -> Verdict:
    return judge(guest.timeline())


def told(result: Verdict | HarnessError) -> tuple[list[tuple[str, str | None]], dict[str, str]]:
    """The problems of a case, each with its type, and its properties."""
    suites = ElementTree.fromstring(document([Case("a title", result, "/runs/1")]))
    case = next(suites.iter("testcase"))
    assert case.get("name") == "a title"
    problems = [(element.tag, element.get("type")) for element in case if element.tag != "properties"]
    return problems, {p.get("name", ""): p.get("value", "") for p in case.iter("property")}


CONTROL = Control(SPAN, POLICY, (BLUEZ,), "2.68.3", "stale")


@pytest.mark.parametrize(
    ("result", "problems", "outcome", "status"),
    [
        (verdict(fresh_revert()), [], "held", "0"),
        (verdict(key_put_back()), [("failure", "VIOLATED")], "violated", "1"),
        (verdict(fresh_revert().look(snapd=None)), [("failure", "UNPROVEN")], "unproven", "2"),
        (verdict(fresh_revert().fail("QEMU died")), [("error", "ERROR")], "error", "3"),
        (HostLacks("no QEMU"), [("error", "ERROR")], "error", "3"),
        (Mistake("file.yaml:1:1: unknown core"), [("error", "MISTAKE")], "mistake", "64"),
        (verdict(key_put_back(control=CONTROL)), [], "violated", "1"),
        (verdict(fresh_revert(control=CONTROL)), [("failure", "VIOLATED")], "held", "0"),
    ],
)
def test_each_way_to_come_out(
    result: Verdict | HarnessError, problems: list[tuple[str, str]], outcome: str, status: str
) -> None:
    found, properties = told(result)
    assert found == problems
    assert (properties["outcome"], properties["exit_code"]) == (outcome, status)


def test_a_failure_carries_summary_and_evidence() -> None:
    text = document([Case("t", verdict(key_put_back()), "/runs/1")])
    failure = next(ElementTree.fromstring(text).iter("failure"))
    assert "runs under stale policy while snapd 2.57.6 runs" in failure.get("message", "")
    assert "witness.jsonl:5" in (failure.text or "")


def test_counts() -> None:
    cases = [
        Case("a", verdict(fresh_revert())),
        Case("b", verdict(key_put_back())),
        Case("c", HostLacks("x")),
    ]
    suite = next(ElementTree.fromstring(document(cases)).iter("testsuite"))
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]


def test_what_xml_cannot_hold_is_escaped() -> None:
    bad = replace(verdict(fresh_revert()), error="\x00\x1b\ufffe\ud800 <&>")
    text = document([Case("\x07 title", bad)])
    assert "\\x00" in (next(ElementTree.fromstring(text).iter("error")).text or "")
    text.encode("utf-8")
