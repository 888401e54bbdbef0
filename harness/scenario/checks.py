# SPDX-License-Identifier: GPL-3.0-only
"""Which checks a boot's end look reads: those of the invariants held, once their snap is installed."""

from __future__ import annotations

from harness.model.invariants import INVARIANTS
from harness.model.plan import Check
from harness.model.scenario import Hold, Scenario
from harness.scenario.holds import complete
from harness.scenario.names import snaps_used
from harness.scenario.sequence import Sequence


def checks_for(scenario: Scenario, sequence: Sequence) -> tuple[Check, ...]:
    """The checks to read at this point of the sequence.

    What a snap of the scenario provides is not looked for while that snap is not installed; what no
    snap of the scenario provides must come with the image, and is always looked for.
    """
    ours = snaps_used(scenario)
    checks = []
    for hold in scenario.hold:
        spec = INVARIANTS[hold.invariant]
        if spec.check and (spec.snap not in ours or sequence.has(spec.snap)):
            checks.append(Check(spec.check, _parameters(hold)))
    return tuple(checks)


def _parameters(hold: Hold) -> dict[str, str]:
    return {name: " ".join(texts) for name, texts in complete(hold).items()}
