# SPDX-License-Identifier: GPL-3.0-only
"""Deliberate faults in starts, and in those that go on from another."""

from __future__ import annotations

from tests.faults.fault import Fault

LAB = ("tests/unit/test_lab_start.py",)
STORE = ("tests/qemu/test_starts.py",)
LANGUAGE = ("tests/unit/scenario/test_start.py",)
PAGE = ("tests/unit/report/test_kept_start.py",)

START_FAULTS = (
    Fault(
        "image/starts.py",
        "a start that had not settled is gone on from by all that start so",
        "if (directory / _UNSETTLED).exists():",
        "if False:",
        LAB,
    ),
    Fault(
        "engine.py",
        "a start that was not to have settled is taken for one that had not",
        "        if settle:\n            self._unsettled",
        "        if True:\n            self._unsettled",
        LAB,
    ),
    Fault(
        "lab.py",
        "what a start goes on from is carried out once more",
        "mine = steps[len(others[-1]) :] if others else steps",
        "mine = steps",
        LAB,
    ),
    Fault(
        "lab.py",
        "a start begins on the image's disk although it goes on from another",
        "self.machine(prepared, directory, record, start=before, leaves=leaves)",
        "self.machine(prepared, directory, record, leaves=leaves)",
        LAB,
    ),
    Fault(
        "record_start.py",
        "a start that goes on from one that was there is repeated as two",
        "if isinstance(recorded.event, StartRepeated):",
        "if False:",
        LAB,
    ),
    Fault(
        "image/starts.py",
        "a start's disk needs that of the one it goes on from",
        '"rebase", "-q", "-F"',
        '"rebase", "-q", "-u", "-F"',
        STORE,
    ),
    Fault(
        "image/starts.py",
        "the clock jumps after a start that goes on from an older one",
        "datetime.now(UTC) - behind",
        "datetime.now(UTC)",
        STORE,
    ),
    Fault(
        "scenario/start_end.py",
        "what is installed is a start by itself although nothing says so",
        "return first if isinstance(first, Reboot) and first.how is RebootHow.CLEAN else None",
        "return first if isinstance(first, Reboot) else None",
        LANGUAGE,
    ),
    Fault(
        "report/kept_start.py",
        "boots are said to be of a start that the run carried out itself",
        "return start.boots or timeline.plan.boots_before",
        "return timeline.plan.boots_before",
        PAGE,
    ),
)
