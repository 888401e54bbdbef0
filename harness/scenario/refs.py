# SPDX-License-Identifier: GPL-3.0-only
"""Which snap files a scenario needs, in which variants, and what they are called in the guest."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.catalogue import Catalogue
from harness.model.plan import SnapRef
from harness.model.scenario import Refresh, Scenario
from harness.scenario.names import cores_used, snaps_used, steps_of

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Refs:
    """The snap files of one scenario; `wanted` is the variant that its cores ask for."""

    catalogue: Catalogue
    wanted: str
    all: tuple[SnapRef, ...] = ()

    def core(self, name: str) -> SnapRef:
        """A core by its name in the catalogue."""
        entry = self.catalogue.cores.get(name)
        return SnapRef("core", name, f"core_{name}.snap", replica=entry is not None and entry.replica)

    def snap(self, name: str, variant: str = "") -> SnapRef:
        """A service snap, in the given variant or the one that suits the cores."""
        entry = self.catalogue.snaps.get(name)
        has_wanted = entry is not None and self.wanted in entry.variants
        chosen = variant or (self.wanted if has_wanted else DEFAULT)
        return SnapRef(
            name, name, f"{name}_{chosen}.snap", chosen, replica=entry is not None and entry.replica
        )


def refs_of(scenario: Scenario, catalogue: Catalogue) -> Refs:
    """All snap files of the scenario: its cores, its service snaps, and what those are refreshed to."""
    refs = Refs(catalogue, _wanted_variant(scenario, catalogue))
    cores = [refs.core(core) for core, _ in cores_used(scenario)]
    snaps = [refs.snap(snap) for snap in snaps_used(scenario)]
    refreshed = [
        refs.snap(step.snap, step.to)
        for step in steps_of(scenario)
        if isinstance(step, Refresh) and step.snap != "core"
    ]
    return Refs(catalogue, refs.wanted, tuple(dict.fromkeys([*cores, *snaps, *refreshed])))


def _wanted_variant(scenario: Scenario, catalogue: Catalogue) -> str:
    """The variant that the first core with a need names: what suits an old core runs under newer ones too."""
    entries = (catalogue.cores[core] for core, _ in cores_used(scenario) if core in catalogue.cores)
    return next((entry.snap_variant for entry in entries if entry.snap_variant), "")
