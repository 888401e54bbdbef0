# SPDX-License-Identifier: GPL-3.0-only
"""A plan that is carried out again and again, each time with a machine that is a little different."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MOST_REPETITIONS = 1000


class Perturb(StrEnum):
    """What of the machine is made different."""

    CPUS = "cpus"  # how many there are
    DELAYS = "delays"  # how late snapd and the snaps' services start
    ENTROPY = "entropy"  # whether the kernel trusts the CPU and its loader for random numbers


class Stop(StrEnum):
    """When repeating ends early."""

    VIOLATED = "violated"  # at the first repetition that is VIOLATED
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Repeat:
    """How often a plan is carried out.

    `until` (0 to 1) is a rate: once it is shown that fewer are VIOLATED, repeating ends; 0 asks for none.
    """

    times: int
    seed: int = 1
    stop: Stop = Stop.VIOLATED
    perturb: tuple[Perturb, ...] = tuple(Perturb)
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Perturbation:
    """What is different in repetition `number` (from 1), all of it given by `seed`.

    `cpus` is 0 where their number stays what it is; `delays` are in milliseconds, by unit; `kernel` are
    words for the kernel's command line.
    """

    seed: int
    number: int
    cpus: int = 0
    delays: Mapping[str, int] = field(default_factory=dict)
    kernel: tuple[str, ...] = ()
