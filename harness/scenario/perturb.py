# SPDX-License-Identifier: GPL-3.0-only
"""The repetitions of a plan, each with what is different in it: made from the seed and its number alone.

By a digest, not by a generator of random numbers: what repetition 31 is does not depend on those before it,
and is the same with every version of Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from harness.model.plan import Plan
from harness.model.repeat import Perturb, Perturbation, Repeat
from harness.scenario import durations

MOST_CPUS = 4
LONGEST_DELAY = 3000
_STEP = 100
# The kernel then waits for other sources before it hands out random numbers, as on a machine without RDRAND
# (Documentation/admin-guide/kernel-parameters.txt).
_NO_TRUST = ("random.trust_cpu=off", "random.trust_bootloader=off")


def repetitions(plan: Plan) -> tuple[Plan, ...]:
    """The plan of each repetition in order; the plan itself when it has none, or is one."""
    if plan.repeat is None or plan.perturbation is not None:
        return (plan,)
    return tuple(repetition(plan, plan.repeat, number) for number in range(1, plan.repeat.times + 1))


def repetition(plan: Plan, repeat: Repeat, number: int) -> Plan:
    """Repetition `number` (from 1) of the plan; where the plan sets the number of CPUs, that stays."""
    units = ("snapd.service", *(f"{tag}.service" for tag in plan.services))
    different = perturbation(repeat, number, units)
    if plan.machine.cpus:
        different = replace(different, cpus=0)
    return replace(plan, repeat=repeat, perturbation=different)


def perturbation(repeat: Repeat, number: int, units: Sequence[str]) -> Perturbation:
    """What is different in repetition `number`; `units` are those that may start late."""

    def pick(what: str, choices: int) -> int:
        digest = hashlib.sha256(f"{repeat.seed} {number} {what}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % choices

    cpus = 1 + pick("cpus", MOST_CPUS) if Perturb.CPUS in repeat.perturb else 0
    delays: dict[str, int] = {}
    if Perturb.DELAYS in repeat.perturb:
        late = [unit for unit in units if pick(f"late {unit}", 2)]
        delays = {unit: _STEP * (1 + pick(f"delay {unit}", LONGEST_DELAY // _STEP)) for unit in late}
    untrusting = Perturb.ENTROPY in repeat.perturb and pick("entropy", 2)
    return Perturbation(repeat.seed, number, cpus, delays, _NO_TRUST if untrusting else ())


def describe(perturbed: Perturbation) -> str:
    """What is different, in a line."""
    told = [f"{perturbed.cpus} CPU{'s' * (perturbed.cpus > 1)}"] if perturbed.cpus else []
    told += [f"{unit} {durations.show(late / 1000)} late" for unit, late in perturbed.delays.items()]
    return ", ".join([*told, *perturbed.kernel]) or "nothing is different"
