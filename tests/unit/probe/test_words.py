# SPDX-License-Identifier: GPL-3.0-only
"""What processes of a failed service that are gone said last, from what journalctl prints."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from harness.model import codec
from harness.model.observation import WordsSeen
from harness.probe.units import has_failed
from harness.probe.words import LONGEST_LINE, PROCESSES_OF_ONE, read_words

UNIT = "snap.bluez.bluez.service"
SAID = "hsearch_r failed for |S_IFREG: No such process"


def entry(text: object, pid: int = 7, at: int = 3, unit: str = UNIT) -> str:
    told = {"MESSAGE": text, "_PID": str(pid), "_SYSTEMD_UNIT": unit, "__MONOTONIC_TIMESTAMP": str(at)}
    return json.dumps(told)


def words(lines: Sequence[str], alive: Sequence[int] = ()) -> list[WordsSeen]:
    prints = [sys.executable, "-c", f"print({chr(10).join(lines)!r})"]
    processes = [{"pid": pid} for pid in alive]
    service: dict[str, Any] = {"tag": "snap.bluez.bluez", "unit": {"name": UNIT}, "processes": processes}
    read = read_words([service], prints)
    assert all(set(one) == {field.name for field in dataclasses.fields(WordsSeen)} for one in read)
    return [codec.loads(WordsSeen, json.dumps(one)) for one in read]


def test_a_dead_launchers_words_with_its_process_and_time() -> None:
    (one,) = words([entry(SAID, pid=7, at=3)])
    assert (one.tag, one.pid, one.at, one.text) == ("snap.bluez.bluez", 7, 3000, SAID)


def test_who_is_alive_has_not_said_its_last() -> None:
    assert [one.pid for one in words([entry("a", 7), entry("b", 8)], alive=[8])] == [7]


def test_the_last_lines_of_each_of_the_last_processes() -> None:
    lines = [entry(f"{pid} {line}", pid) for pid in range(100, 160) for line in range(5)]
    found = words(lines)
    assert [one.text for one in found[:3]] == [f"{160 - PROCESSES_OF_ONE} {line}" for line in (2, 3, 4)]
    assert found[-1].text == "159 4"
    assert len(found) == 3 * PROCESSES_OF_ONE


def test_a_line_is_cut_and_what_is_no_text_is_shown() -> None:
    (long,) = words([entry("x" * 5000)])
    assert long.text == "x" * LONGEST_LINE
    assert words([entry([104, 105, 255])])[0].text == "hi\\xff"


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "{}", entry(None), entry("of another", unit="ssh.service"), entry([999])]
)
def test_what_cannot_be_understood_is_left_out(line: str) -> None:
    assert [one.text for one in words([line, entry(SAID)])] == [SAID]


def test_without_a_journal_nobody_said_anything() -> None:
    assert read_words([{"tag": "t", "unit": {"name": UNIT}, "processes": []}], ["/no/such/program"]) == []


def test_who_failed_once_is_asked_for_words() -> None:
    assert has_failed({"result": "exit-code"})
    assert has_failed({"result": "success", "restarts": 1})
    assert not has_failed({"result": "success", "restarts": 0})
    assert not has_failed({"result": ""})
