# SPDX-License-Identifier: GPL-3.0-only
"""Mistakes in what a well-formed scenario says: its sequence, what it holds, its limits and its control."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Told = Callable[[str], list[str]]


def change(good: str, old: str, new: str) -> str:
    assert good.count(old) == 1, old
    return good.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "says"),
    [
        # the sequence
        (
            'refresh: {core: "2.68.3"}',
            "wait: settled",
            9,
            5,
            "'core' has no earlier revision to revert to here",
        ),
        ("  - reboot: clean", "  - revert: core", 9, 5, "'core' has no earlier revision to revert to here"),
        ("  - reboot: clean", "  - install: witness", 8, 5, "'witness' is already installed here"),
        (
            "  - reboot: clean",
            "  - remove: bluez",
            8,
            5,
            "cannot remove 'bluez': it is not installed here; write 'inst",
        ),
        (
            "  - reboot: clean",
            "  - refresh: {bluez: default}",
            8,
            5,
            "cannot refresh 'bluez': it is not installed here",
        ),
        ("  - reboot: clean", "  - remove: core", 8, 5, "snapd does not remove 'core'"),
        (
            "  - reboot: clean",
            '  - connect: "bluez:a"',
            8,
            5,
            "plug or slot of 'bluez': it is not installed here",
        ),
        ("  - reboot: clean", '  - disconnect: "witness:a bluez:b"', 8, 5, "plug or slot of 'bluez'"),
        ("  - reboot: clean", "  - connect: nm", 8, 14, "'connect' is 'nm'; expected 'snap:plug'"),
        # during
        ("  - reboot: clean", "  - during: {revert: core}", 8, 5, "the step 'during' lacks 'do'"),
        (
            "  - reboot: clean",
            "  - during: {revert: core}\n    do: []",
            9,
            9,
            "'do' is empty; expected at least one item",
        ),
        (
            "  - reboot: clean",
            "  - during: {reboot: clean}\n    do: [run: ls]",
            8,
            14,
            "unknown change 'reboot'; expected",
        ),
        (
            "  - reboot: clean",
            "  - during: {revert: core}\n    do: [reboot: reset, run: ls]",
            9,
            25,
            "a reboot ends what is waited for",
        ),
        (
            "  - reboot: clean",
            "  - during: {revert: core}\n    do: [revert: core]",
            9,
            10,
            "'core' already has a change under way here",
        ),
        (
            "  - reboot: clean",
            "  - during: {revert: core}\n    do: [{during: {remove: witness}, do: [run: ls]}]",
            9,
            11,
            "'during' inside 'during'; expected one change at a time",
        ),
        # hold
        (
            "  - policy-from-running-snapd",
            "  []",
            11,
            3,
            "'hold' is empty; expected at least one item; a scenario that",
        ),
        ("policy-from", "polcy-from", 11, 5, "unknown invariant 'polcy-from-running-snapd'"),
        ("policy-from", "polcy-from", 11, 5, "did you mean policy-from-running-snapd?"),
        ("  - policy-from-running-snapd", "  - units-healthy: {unit: [a]}", 11, 21, "did you mean units?"),
        ("  - policy-from-running-snapd", "  - units-healthy: {units: a.service}", 11, 28, "expected a list"),
        (
            "  - policy-from-running-snapd",
            "  - units-healthy: {units: [snap.witness.reprt.service]}",
            11,
            29,
            "did you mean snap.witness.report.service?",
        ),
        (
            "  - policy-from-running-snapd",
            "  - policy-from-running-snapd: {services: [snap.witness]}",
            11,
            44,
            "did you mean snap.witness.report?",
        ),
        ("  - policy-from-running-snapd", "  - console-clean: {allow: [opps]}", 11, 29, "did you mean oops?"),
        (
            "  - policy-from-running-snapd",
            "  - network-managed: {interface: []}",
            11,
            34,
            "'interface' is a list",
        ),
        (
            "  - policy-from-running-snapd",
            "  - policy-from-running-snapd\n  - policy-from-running-snapd",
            12,
            5,
            "is held twice, first at s.yaml:11:5",
        ),
        (
            "[network-manager, witness]",
            "[]",
            11,
            5,
            "can prove nothing: no snap with a service is ever installed",
        ),
        # time-outs
        (
            "hold:",
            "timeouts: {boot: 60}\nhold:",
            10,
            18,
            "'boot': '60' has no unit; expected a number with a unit",
        ),
        ("hold:", "timeouts: {bot: 60 s}\nhold:", 10, 12, "did you mean boot?"),
        (
            "hold:",
            "timeouts: {boot: 1 h, run: 1 min}\nhold:",
            10,
            11,
            "'boot' (1 h) is longer than 'run' (1 min)",
        ),
        # control
        ("hold:", "control: {violates: console-clean}\nhold:", 10, 10, "which the scenario does not hold"),
        ("hold:", "control: {violate: console-clean}\nhold:", 10, 11, "did you mean violates?"),
        (
            "hold:",
            "control: {violates: policy-from-running-snapd, subjects: [snap.witness.x]}\nhold:",
            10,
            59,
            "unknown subject 'snap.witness.x'",
        ),
        (
            "hold:",
            'control: {violates: policy-from-running-snapd, author: "2.77.1"}\nhold:',
            10,
            56,
            "unknown core of this scenario '2.77.1'; expected one of 2.57.6, 2.68.3",
        ),
        # variables
        (
            "reboot: clean",
            "reboot: ${how}",
            8,
            13,
            "unknown variable '${how}'; a scenario's variables are declared",
        ),
        ("hold:", "vary: {how: [a]}\nhold:", 10, 8, "the variable 'how' is never used"),
    ],
)
def test_a_mistake(good: str, mistakes: Told, old: str, new: str, line: int, column: int, says: str) -> None:
    told = mistakes(change(good, old, new))
    assert any(each.startswith(f"s.yaml:{line}:{column}: ") and says in each for each in told), told
