# SPDX-License-Identifier: GPL-3.0-only
"""The page: the verdict on top, its proof below, and nothing that a terminal would obey."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge import judge
from harness.model.scenario import Control
from harness.model.timeline import Timeline
from harness.report.layout import WIDTH, safe
from harness.report.text import render
from tests.unit.builders import BLUEZ, OLD, POLICY, SPAN, Guest, fresh_revert, key_put_back
from tests.unit.fingerprints import fingerprint, used, with_fingerprints

COLOUR = re.compile(r"\x1b\[\d*m")


def page(guest: Guest | Timeline, *, colour: bool = False) -> str:
    timeline = guest if isinstance(guest, Timeline) else guest.timeline()
    return render(timeline, judge(timeline), colour)


def test_the_verdict_is_the_first_word() -> None:
    assert page(fresh_revert()).startswith("HELD  core-revert/paper\n")
    assert page(key_put_back()).startswith("VIOLATED  core-revert/paper\n")
    failed = page(key_put_back().fail("cannot reboot: QEMU died"))
    assert failed.startswith("ERROR  core-revert/paper\n")
    assert "QEMU died" in failed


def test_findings_stand_with_author_and_place() -> None:
    text = page(key_put_back())
    assert f"VIOLATED  {POLICY}  boot 4  {BLUEZ}: stale, made by 2.68.3" in text
    assert re.search(
        r"witness\.jsonl:\d+  cache [0-9a-f]{8} is compiled from a source of snapd 2\.68\.3", text
    )


def test_each_boot_has_its_snapd_and_each_services_parts() -> None:
    text = page(key_put_back())
    assert text.count("snapd 2.57.6 (expected 2.57.6): /snap/core/2.57.6/usr/lib/snapd/snapd, build id") == 3
    row = next(line for line in text.split("boot 4")[1].splitlines() if line.strip().startswith(BLUEZ))
    assert re.fullmatch(rf" +{re.escape(BLUEZ)} +2\.57\.6 [0-9a-f]{{8}} +2\.68\.3 [0-9a-f]{{8}} +stale", row)


def test_steps_stand_with_their_seconds() -> None:
    assert re.search(r"^ +1\.5 s  6 +install core 2\.68\.3$", page(fresh_revert()), re.MULTILINE)


def test_waiting_services_and_absent_snapds_have_a_row() -> None:
    text = page(fresh_revert().wait_in_launcher(BLUEZ).look())
    assert re.search(rf"{re.escape(BLUEZ)} +- +- +waiting", text)
    assert "no snapd ran" in page(fresh_revert().look(snapd=None))


def test_a_control_says_what_it_came_to() -> None:
    expected = Control(SPAN, POLICY, (BLUEZ,), "2.68.3", "stale")
    assert "Control: came out as it must" in page(key_put_back(control=expected))
    text = page(fresh_revert(control=expected))
    assert "Control: did NOT come out" in text
    assert f"was not VIOLATED for {BLUEZ} as stale under policy of 2.68.3" in text


def test_colour_is_only_where_it_was_asked_for() -> None:
    assert "\x1b" not in page(key_put_back())
    coloured = page(key_put_back(), colour=True)
    assert coloured.startswith("\x1b[31mVIOLATED\x1b[0m  core-revert")
    assert COLOUR.sub("", coloured) == page(key_put_back())


HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\n\u202egnp.\u2028\ud800" + "x" * 300


def hostile(guest: Guest) -> Guest:
    assert guest.snapd
    snapd = replace(guest.snapd, exe=HOSTILE)
    guest.change_process(BLUEZ, exe=HOSTILE, label=HOSTILE, problem=HOSTILE)
    return guest.look(snapd=snapd, unsettled=(HOSTILE,), problems=(HOSTILE,)).fail(HOSTILE)


@pytest.mark.parametrize("colour", [False, True])
def test_nothing_of_the_guests_reaches_the_terminal_as_a_control(colour: bool) -> None:
    text = (
        COLOUR.sub("", page(hostile(fresh_revert()), colour=colour))
        if colour
        else page(hostile(fresh_revert()))
    )
    bad = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert bad == set()
    text.encode("utf-8")


@pytest.mark.parametrize("guest", [fresh_revert(), key_put_back(), hostile(fresh_revert())])
def test_lines_fit(guest: Guest) -> None:
    assert max(map(len, page(guest).splitlines())) <= WIDTH
    assert max(len(COLOUR.sub("", line)) for line in page(guest, colour=True).splitlines()) <= WIDTH


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_safe_text_is_printable(text: str) -> None:
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") for c in safe(text))


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "Zs"])))
def test_plain_text_is_left_alone(text: str) -> None:
    assert safe(text) == text


def test_a_run_that_never_booted_has_a_page() -> None:
    timeline = replace(fresh_revert().timeline(), boots=(), events=(), artifacts=())
    assert page(timeline).startswith("UNPROVEN")


def test_the_fingerprints_that_were_used_are_named() -> None:
    text = page(with_fingerprints(fresh_revert(), [fingerprint(OLD)]))
    assert f"fingerprint of 2.57.6: {used(fingerprint(OLD)).key[:8]}" in text
    assert "fingerprint" not in page(fresh_revert())
