# SPDX-License-Identifier: GPL-3.0-only
"""Takes the fingerprint of a core: its control boots on a real machine, unless the catalogue has it."""

from __future__ import annotations

from harness.engine import run_plan
from harness.host.progress import Tell
from harness.lab import Lab
from harness.model.event import FingerprintUsed
from harness.model.fingerprint import Fingerprint
from harness.model.plan import Plan, SnapRef
from harness.policy.control_boots import fingerprint_of
from harness.record import read_timeline
from harness.scenario.alone import alone


def take_fingerprint(plan: Plan, core: SnapRef, lab: Lab, tell: Tell) -> FingerprintUsed:
    """What the catalogue has on a core of the plan, once it is there.

    The control boots leave a run directory like every run; nothing judges it.

    :raise CannotMeasure: the boots could not be carried out, or show another snapd than the core's.
    """
    control = alone(plan, core)
    prepared = lab.prepare(control)

    def take() -> Fingerprint:
        directory = run_plan(control, lab, tell)
        tell(f"fingerprint of {core.entry} is read from {directory}")
        return fingerprint_of(read_timeline(directory), core.entry)

    key = prepared.fingerprint_key(control, core)
    return FingerprintUsed(key, lab.obtain_fingerprint(key, take))
