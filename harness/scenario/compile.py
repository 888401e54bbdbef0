# SPDX-License-Identifier: GPL-3.0-only
"""A scenario and a catalogue to a plan: names looked up, time-outs filled in, what is implied added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from harness.model.catalogue import Catalogue
from harness.model.plan import PLAN_FORMAT, Plan, PlannedInvariant
from harness.model.scenario import Scenario
from harness.model.spans import Problem
from harness.scenario.decode import read_scenarios
from harness.scenario.emit import Emitter
from harness.scenario.holds import complete
from harness.scenario.names import Lookup, services_used
from harness.scenario.refs import refs_of
from harness.scenario.source import Problems
from harness.scenario.sweep import planned_sweep


def load_plans(path: Path, catalogue: Catalogue) -> tuple[Plan, ...]:
    """The plans of a scenario file, one for each variant.

    Raises Mistake when the file cannot be read, and Mistakes with all that is wrong in the file:
    names that the catalogue lacks are told together with mistakes of form.
    """
    problems = Problems()
    scenarios = read_scenarios(path, problems)
    if problems.found:
        problems.found += _unknown_names(scenarios, catalogue)
    plans = () if problems.found else tuple(_compile(each, catalogue, problems) for each in scenarios)
    _raise_once(problems)
    return plans


def _unknown_names(scenarios: Iterable[Scenario], catalogue: Catalogue) -> Iterator[Problem]:
    """What can be said of scenarios of which parts, or a variable's values, could not be read."""
    found = Problems()
    for scenario in scenarios:
        Lookup(scenario, catalogue, found).check_catalogue_names()
    return (problem for problem in found.found if "${" not in problem.message)


def compile_scenario(scenario: Scenario, catalogue: Catalogue) -> Plan:
    """The plan of a scenario; raises Mistakes with every name and step that cannot be."""
    problems = Problems()
    plan = _compile(scenario, catalogue, problems)
    _raise_once(problems)
    return plan


def _raise_once(problems: Problems) -> None:
    """Several variants of a file have the same mistakes."""
    problems.found = list(dict.fromkeys(problems.found))
    problems.raise_if_any()


def _compile(scenario: Scenario, catalogue: Catalogue, problems: Problems) -> Plan:
    lookup = Lookup(scenario, catalogue, problems)
    lookup.check_catalogue_names()
    lookup.check_own_names()
    refs = refs_of(scenario, catalogue)
    steps = Emitter(scenario, catalogue, refs, problems).emit()
    return Plan(
        format=PLAN_FORMAT,
        scenario=scenario.name,
        file=scenario.file,
        summary=scenario.summary,
        report=scenario.report,
        variant=scenario.variant,
        image=scenario.image,
        snaps=refs.all,
        services=services_used(scenario, catalogue),
        steps=steps,
        invariants=tuple(PlannedInvariant(h.invariant, complete(h), h.span) for h in scenario.hold),
        timeouts=scenario.timeouts,
        controls=tuple(replace(control, names={}) for control in scenario.controls),
        repeat=scenario.repeat,
        machine=scenario.machine,
        sweep=planned_sweep(scenario, steps),
    )
