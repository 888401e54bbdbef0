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
from harness.model.clock import SECOND, GuestTime
from harness.model.event import CommandRan, MachineSaid, MachineStarted, StepEnded
from harness.model.observation import PolicyKind
from harness.model.occurrence import (
    Executed,
    FileChange,
    FileChanged,
    Lost,
    ProfileChange,
    ProfileChanged,
    Source,
    Started,
    UnitChanged,
)
from harness.model.timeline import ConsoleLine, SeenOccurrence, Timeline
from harness.model.verdict import Evidence, Finding, Outcome, Verdict
from harness.report import data, html
from harness.report.markup import LONGEST_TEXT, element, shown
from tests.unit.builders import BLUEZ, OLD, POLICY, Guest, fresh_revert, unit
from tests.unit.report.reader import read, structure

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "</title></style><script>alert(1)</script>",
    "<!--",
    "]]>&lt;&amp;&#60;script&#62;",
    "\" onload=alert(1) x='",
    "\x1b[31mred\x1b]0;owned\x07",
    "\u202egnp.exe\u2028\u2029",
    "\ud800\udfff\ud800",
    "a\x00b\x07\r\n\t",
    "\ufffe\uffff\U0010ffff",
    "{}%s${x}`",
)


def said_by(text: str) -> tuple[Timeline, Verdict]:
    """A run in which everything that can be anybody's words is this text."""
    guest = Guest().power_on().install(OLD).start_services()
    assert guest.snapd
    guest.change_process(BLUEZ, exe=text, label=text, problem=text, comm=text)
    guest.look(snapd=replace(guest.snapd, exe=text), unsettled=(text,), problems=(text,))
    guest.check(text, None, {text: text}, text)
    guest.events += [
        StepEnded(guest.steps[-1].number, 1.0, text),
        CommandRan(guest.steps[-1].number, text, 0, f"!{text}", 1.0),
        MachineSaid(text, {text: text}),
        MachineStarted(text, text, text, 1.0, text),
    ]
    plain = guest.fail(text).timeline()
    boot = plain.boots[-1]
    console = (*boot.console, ConsoleLine(900, f"Kernel panic - not syncing: {text}"))
    seen = tuple(SeenOccurrence(500 + n, one) for n, one in enumerate(occurrences(text)))
    boots = (
        *plain.boots[:-1],
        replace(boot, console=console, occurrences=seen, ended=f"!{text}", boot_id=f"!{text}"),
    )
    plan = replace(plain.plan, summary=f"!{text}", image=text, file=text, variant={text: text})
    timeline = replace(plain, boots=boots, plan=plan, gaps=(text,))
    proof = Evidence(text, 7, text)
    findings = tuple(
        Finding(text, outcome, text, text, 0, text, author=f"!{text}", evidence=(proof,))
        for outcome in Outcome
    )
    verdict = judge(timeline)
    return timeline, replace(
        verdict, findings=(*verdict.findings, *findings), replicas=(text,), error=f"!{text}"
    )


def occurrences(text: str) -> tuple[object, ...]:
    at, device = GuestTime(40 * SECOND), PolicyKind.DEVICE
    service = f"{BLUEZ}.service"
    return (
        Lost(at=at, source=Source.EXECS, since=at, why=text),
        Executed(at=at, pid=1, exe=f"{text}/lib/snapd/snapd", build_id=text),
        Executed(at=at, pid=2, exe=f"{text}/usr/bin/snap", unit=service),
        FileChanged(at=at, change=FileChange.WRITTEN, path=text, pid=2, sha256=f"!{text}"),
        FileChanged(at=at, change=FileChange.DELETED, path=text, pid=3, kind=device, name=text, sha256=text),
        ProfileChanged(at=at, change=ProfileChange.LOAD, name=text, pid=4, comm=text),
        Started(at=at, read_at=at, tag=BLUEZ, pid=5, exe=text),
        UnitChanged(at=at, unit=unit(service, "failed", text, result=text)),
    )  # fmt: skip


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


def crowded(count: int) -> Timeline:
    """A boot in which a file is written, a program executed and a unit restarted again and again."""
    plain = fresh_revert().timeline()
    boot = plain.boots[-1]
    occurrences = [one for n in range(count // 3) for one in _round(n)]
    seen = tuple(SeenOccurrence(100 + n, one) for n, one in enumerate(occurrences))
    return replace(plain, boots=(*plain.boots[:-1], replace(boot, occurrences=seen)))


def _round(number: int) -> tuple[object, ...]:
    at = GuestTime(number * SECOND // 50)
    failed = unit(f"{BLUEZ}.service", "activating", "auto-restart", result="signal", restarts=number)
    path = f"/var/lib/snapd/seccomp/bpf/snap.x{number}.src"
    return (
        FileChanged(
            at=at, change=FileChange.WRITTEN, path=path, pid=1, kind=PolicyKind.SECCOMP_SOURCE, name="x"
        ),
        Started(at=at, read_at=at, tag=BLUEZ, pid=number, exe="/snap/bluez/x1/bluetoothd"),
        UnitChanged(at=at, unit=failed),
    )


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


def test_a_clock_that_lies_does_not_stretch_the_strip() -> None:
    timeline = crowded(30)
    last = timeline.boots[-1]
    never = GuestTime(10**30)
    mad = SeenOccurrence(1, Executed(at=never, pid=1, exe="/usr/lib/snapd/snapd"))
    early = SeenOccurrence(2, Executed(at=GuestTime(-(10**30)), pid=1, exe="/usr/lib/snapd/snapd"))
    boots = (*timeline.boots[:-1], replace(last, occurrences=(early, *last.occurrences, mad)))
    html.render(replace(timeline, boots=boots), judge(timeline))
