# SPDX-License-Identifier: GPL-3.0-only
"""Faults in what a gate makes of its controls and its scenarios."""

from __future__ import annotations

from tests.faults.fault import Fault

GATE = ("tests/unit/test_results_gate.py", "tests/unit/cli/test_gate.py")
FILES = ("tests/unit/scenario/test_gate.py",)

GATE_FAULTS = (
    Fault(
        "results_gate.py",
        "a blind control counts as what it came out as",
        "    if blind_controls(ran):\n        return Came.ERROR\n",
        "",
        GATE,
    ),
    Fault(
        "results_gate.py",
        "a control that was violated by something else is as it must be",
        "judged is not None and judged.as_expected",
        "judged is not None",
        GATE,
    ),
    Fault(
        "results_gate.py",
        "a control that was not judged as one is as it must be",
        "judged is not None and judged.as_expected",
        "(judged is None or judged.as_expected)",
        GATE,
    ),
    Fault(
        "results_gate.py",
        "a control that held is as it must be",
        "or not self.plan.controls:",
        "or self.came is Came.HELD:",
        GATE,
    ),
    Fault(
        "results_gate.py",
        "a control that could not be measured is no blind one",
        "and self.came is not Came.MISTAKE",
        "and self.came not in (Came.MISTAKE, Came.ERROR)",
        GATE,
    ),
    Fault(
        "cli/gate.py",
        "scenarios run before the controls",
        "(*gate.controls, *gate.scenarios)",
        "(*gate.scenarios, *gate.controls)",
        GATE,
    ),
    Fault(
        "scenario/gate.py",
        "what a control merely holds counts as shown",
        "shown = {control.invariant for each in plans for control in each.plan.controls}",
        "shown = {one.name for each in plans if each.plan.controls for one in each.plan.invariants}",
        FILES,
    ),
    Fault(
        "scenario/gate.py",
        "an invariant of which no control shows that it can be violated is accepted",
        "if name not in shown | excused:",
        "if name in excused:",
        FILES,
    ),
    Fault(
        "scenario/gate.py",
        "a control among the scenarios is accepted",
        "        if each.plan.controls:\n            message",
        "        if not each.plan:\n            message",
        FILES,
    ),
)
