# SPDX-License-Identifier: GPL-3.0-only
"""Machines for Python tests, which do in code what a scenario cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.host.progress import Tell
from harness.lab import Lab
from harness.lab_spec import LabOptions
from harness.machine import Machine
from harness.model.plan import Plan
from harness.planning import plans_of


class Bench:
    """Plans scenarios and starts machines for them, with the options that pytest was given."""

    def __init__(self, options: LabOptions, tell: Tell) -> None:
        self._lab = Lab(options, tell)

    def plan(self, scenario: Path | str, **variant: str) -> Plan:
        """The plan of a scenario file; of a matrix, the first point that `variant` leaves.

        :raise Mistakes: something in the file cannot be carried out.
        """
        return plans_of(Path(scenario), self._lab.catalogue, variant)[0]

    @contextmanager
    def machine(self, scenario: Plan | Path | str) -> Iterator[Machine]:
        """A machine with the scenario's image and snap files, in its first boot and taking commands.

        None of the scenario's steps has been done. The block's end ends the machine.
        """
        plan = scenario if isinstance(scenario, Plan) else self.plan(scenario)
        prepared = self._lab.prepare(plan)
        with (
            self._lab.record(plan) as (directory, record),
            self._lab.machine(prepared, directory, record, plan.perturbation) as machine,
        ):
            machine.await_boot(machine.patience.deadline(plan.timeouts.boot))
            yield machine
