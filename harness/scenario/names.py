# SPDX-License-Identifier: GPL-3.0-only
"""Looks the names in a scenario up, wherever they stand, and notes those that nothing has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.model.catalogue import Catalogue
from harness.model.console import TROUBLES
from harness.model.point import UnitReady
from harness.model.scenario import (
    Control,
    During,
    Hold,
    HoldStart,
    Install,
    Refresh,
    Remove,
    Revert,
    Scenario,
    Step,
    WaitUnit,
    When,
    WithFault,
)
from harness.model.spans import Span
from harness.scenario.source import Problems
from harness.scenario.versions import core_version, is_older

_TROUBLES = tuple(trouble.name for trouble in TROUBLES)
_ABOUT_SERVICES = ("policy-from-running-snapd", "units-healthy")


def steps_of(scenario: Scenario) -> Iterator[Step]:
    """All steps of a scenario, those of its start and those that happen during others too."""
    return all_steps((*scenario.start.then, *scenario.steps))


def all_steps(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps with those that happen during others, in the order of the file."""
    for step in steps:
        yield step
        if isinstance(step, During):
            yield step.step
        if isinstance(step, During | WithFault):
            yield from all_steps(step.do)


def snaps_used(scenario: Scenario) -> tuple[str, ...]:
    """The service snaps that are ever installed, in the order in which they are."""
    installed = (step.snap for step in steps_of(scenario) if isinstance(step, Install))
    return tuple(dict.fromkeys((*scenario.start.snaps, *installed)))


def cores_used(scenario: Scenario) -> tuple[tuple[str, Span], ...]:
    """The cores that are ever installed, each with the place of its name, in the order of their use."""
    start = scenario.start
    steps = (step for step in steps_of(scenario) if isinstance(step, Refresh) and step.snap == "core")
    return ((start.core, start.names.get(start.core, start.span)), *((step.to, step.span) for step in steps))


def services_used(scenario: Scenario, catalogue: Catalogue) -> tuple[str, ...]:
    """The security tags (``snap.NAME.APP``) of the services of all snaps that are ever installed."""
    snaps = (catalogue.snaps[snap] for snap in snaps_used(scenario) if snap in catalogue.snaps)
    return tuple(f"snap.{snap.name}.{app}" for snap in snaps for app in snap.services)


class Lookup:
    """Notes every name of one scenario that the catalogue or the scenario itself does not have."""

    def __init__(self, scenario: Scenario, catalogue: Catalogue, problems: Problems) -> None:
        self._scenario = scenario
        self._catalogue = catalogue
        self._problems = problems
        self._services = services_used(scenario, catalogue)
        # Which services there are is not known when a snap is not.
        self._all_snaps_known = all(snap in catalogue.snaps for snap in snaps_used(scenario))

    def check_catalogue_names(self) -> None:
        """Check what the catalogue must have; right for a scenario too of which parts could not be read."""
        scenario = self._scenario
        if scenario.image:
            self._known("image", scenario.image, scenario.image_span, self._catalogue.images)
        for core, span in cores_used(scenario):
            if core and self._known("core", core, span, self._catalogue.cores):
                self._reexecs(core, span)
        for snap in scenario.start.snaps:
            self._service_snap(snap, scenario.start.names.get(snap, scenario.start.span))
        for step in steps_of(scenario):
            self._step(step)

    def check_own_names(self) -> None:
        """Check what the scenario itself must have: its units, services, invariants and cores."""
        for step in steps_of(self._scenario):
            if isinstance(step, WaitUnit | HoldStart):
                self._snap_unit(step.unit, step.span)
            if isinstance(step, When) and isinstance(step.point, UnitReady):
                self._snap_unit(step.point.unit, step.span)
        for hold in self._scenario.hold:
            self._hold(hold)
        for control in self._scenario.controls:
            self._control(control)

    def _known(self, what: str, name: str, span: Span, known: Iterable[str]) -> bool:
        if name in known:
            return True
        self._problems.unknown(span, what, name, known)
        return False

    def _service_snap(self, snap: str, span: Span) -> None:
        if snap == "core":
            hint = "the core is given by 'start: {core: NAME}' and changed by 'refresh: {core: NAME}'"
            self._problems.add(span, "'core' is not installed as a service snap", hint=hint)
        else:
            self._known("snap", snap, span, self._catalogue.snaps)

    def _step(self, step: Step) -> None:
        match step:
            case Install(span, snap):
                self._service_snap(snap, span)
            case Refresh(span, snap, to) if snap != "core":
                if self._known("snap", snap, span, [*self._catalogue.snaps, "core"]):
                    variants = self._catalogue.snaps[snap].variants
                    self._known(f"variant of {snap}", to, span, variants)
            case Remove(span, snap) | Revert(span, snap):
                self._known("snap", snap, span, [*self._catalogue.snaps, "core"])
            case _:
                pass

    def _reexecs(self, core: str, span: Span) -> None:
        """snapd goes over into a core only when that core is not older than itself (cmd/cmd_linux.go)."""
        image = self._catalogue.images.get(self._scenario.image)
        version = core_version(self._catalogue.cores[core])
        if image is None or not image.deb or not version or not is_older(version, image.deb):
            return
        others = (each.name for each in self._catalogue.images.values() if each.deb)
        fitting = [name for name in others if not is_older(version, self._catalogue.images[name].deb)]
        hint = f"use the image {' or '.join(fitting)}" if fitting else "use an image with an older deb"
        message = (
            f"the core {core!r} ({version}) would not run: snapd does not re-execute into a core older than"
        )
        self._problems.add(span, f"{message} the image's deb ({image.deb})", hint=hint)

    def _snap_unit(self, unit: str, span: Span) -> None:
        units = [f"{tag}.service" for tag in self._services]
        if unit.startswith("snap.") and unit not in (*units, *self._services):
            self._unknown_here("unit", unit, span, units)

    def _unknown_here(self, what: str, name: str, span: Span, known: list[str]) -> None:
        if not self._all_snaps_known:
            return
        if known:
            self._problems.unknown(span, what, name, known)
        else:
            message = f"unknown {what} {name!r}: no snap with a service is ever installed"
            self._problems.add(span, message, hint="add one to 'snaps' in 'start'")

    def _hold(self, hold: Hold) -> None:
        for unit in hold.parameters.get("units", ()):
            self._snap_unit(unit, hold.names.get(unit, hold.span))
        for kind in hold.parameters.get("allow", ()):
            self._known("kind of trouble", kind, hold.names.get(kind, hold.span), _TROUBLES)
        for tag in hold.parameters.get("services", ()):
            if tag not in self._services:
                self._unknown_here("service", tag, hold.names.get(tag, hold.span), [*self._services])
        proves_something = self._services or hold.parameters.get("units") or not self._all_snaps_known
        if hold.invariant in _ABOUT_SERVICES and not proves_something:
            message = f"{hold.invariant!r} can prove nothing: no snap with a service is ever installed"
            self._problems.add(hold.span, message, hint="add one to 'snaps' in 'start'")

    def _control(self, control: Control) -> None:
        held = [hold.invariant for hold in self._scenario.hold]
        if control.invariant not in held:
            message = f"the control violates {control.invariant!r}, which the scenario does not hold"
            self._problems.add(control.span, message, hint="add it to 'hold'")
        known = [*self._services, *(f"{tag}.service" for tag in self._services)]
        for subject in control.subjects:
            if subject.startswith("snap.") and subject not in known:
                self._unknown_here("subject", subject, control.names.get(subject, control.span), known)
        if control.author:
            cores = [core for core, _ in cores_used(self._scenario)]
            self._known("core of this scenario", control.author, control.names[control.author], cores)
