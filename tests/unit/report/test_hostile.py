# SPDX-License-Identifier: GPL-3.0-only
"""Whatever a guest says is text on the page, and never more than a page can bear."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.judge import judge
from harness.model.clock import SECOND
from harness.model.verdict import Finding, Outcome
from harness.report import data, html, text
from harness.report.markup import LONGEST_TEXT, element, shown
from tests.unit.builders import BLUEZ, POLICY
from tests.unit.report.hostile import HOSTILE, MAD_PID, crowded, lying, said_by
from tests.unit.report.reader import read, structure

PLAIN = structure(html.render(*said_by("x")))
"""The page's elements when everybody speaks plainly."""


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_guest_says_changes_no_element(text: str) -> None:
    assert structure(html.render(*said_by(text))) == PLAIN


@pytest.mark.parametrize("text", HOSTILE)
def test_it_is_shown_as_text(text: str) -> None:
    root = read(html.render(*said_by(text)))
    assert [
        where for where in ("steps", "plan", "versions", "b1") if shown(text) not in root.one(where).text
    ] == []
    quoted = [node.text for node in root.of_class("q")]
    assert shown(text) in quoted


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=()), min_size=1).filter(str.strip))
@example("<")
@example("&#x3c;script&#x3e;")
@example("-")
def test_any_text_is_only_text(text: str) -> None:
    page = html.render(*said_by(text))
    page.encode("utf-8")
    controls = {c for c in page if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert controls == set()
    assert structure(page) == PLAIN
    assert shown(text) in [node.text for node in read(page).of_class("q")]


@given(st.text(st.characters(exclude_categories=())))
def test_an_element_gives_its_text_back(text: str) -> None:
    (node,) = read(element("p", text, title=text).html).content
    assert not isinstance(node, str)
    assert node.text == shown(text)
    assert node.attributes == {"title": shown(text)}


@pytest.mark.parametrize("text", HOSTILE)
def test_json_gives_the_very_words_back(text: str) -> None:
    document = data.render(*said_by(text))
    assert document.isascii()
    assert json.loads(document)["replicas"] == [json.loads(json.dumps(text))]


def test_a_long_line_is_cut_and_its_length_told() -> None:
    page = html.render(*said_by("A" * 1_000_000))
    assert "(1000000 characters in all)" in page
    assert "A" * (LONGEST_TEXT + 1) not in page
    assert len(page) < 1_000_000


def test_a_boot_of_thousands_of_occurrences_stays_small_and_says_what_is_left_out() -> None:
    timeline = crowded(9_000)
    verdict = judge(timeline)
    page = html.render(timeline, verdict)
    assert len(page.encode()) < 1_000_000
    boot = read(page).one("b4")
    assert re.search(rf"{BLUEZ}: \d+ more are left out here", boot.text)
    assert "2900 more are left out here" in boot.text
    assert "3000 starts of services" in boot.text
    lanes = json.loads(data.render(timeline, verdict))["boots"][-1]["lanes"]
    policy = next(lane for lane in lanes if lane["name"] == "seccomp")
    assert sum(mark["count"] for mark in policy["marks"]) + policy["left_out"] >= 3_000


def test_what_a_finding_is_about_is_never_left_out() -> None:
    timeline = crowded(9_000)
    verdict = judge(timeline)
    says = f"{BLUEZ}: process 2999 executed"
    wrong = Finding(POLICY, Outcome.VIOLATED, "stale", BLUEZ, 4, says, evidence=())
    page = html.render(timeline, replace(verdict, findings=(wrong,)))
    assert read(page).one("b4").of_class("guilty")


@pytest.mark.parametrize("mad", [10**20, 10**400, -(10**400)], ids=["long", "endless", "before"])
def test_a_clock_that_lies_does_not_stretch_the_strip(mad: int) -> None:
    timeline = lying(mad)
    verdict = judge(crowded(30))
    wrong = Finding(POLICY, Outcome.VIOLATED, "stale", BLUEZ, 4, f"process {MAD_PID} executed")
    verdict = replace(verdict, findings=(wrong,))
    assert read(html.render(timeline, verdict)).one("b4").of_class("guilty")
    assert BLUEZ in text.render(timeline, verdict, colour=False)
    until = json.loads(data.render(timeline, verdict))["boots"][-1]["until"]
    assert until <= 366 * 86_400 * SECOND
