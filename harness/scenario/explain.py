# SPDX-License-Identifier: GPL-3.0-only
"""A plan as people read it before anything runs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from harness.model.invariants import INVARIANTS
from harness.model.plan import (
    AwaitCommand,
    Check,
    HoldUnit,
    Look,
    Plan,
    PlannedInvariant,
    PlannedStep,
    RunCommand,
    SnapRef,
)
from harness.model.rate import percent
from harness.model.repeat import Repeat, Stop
from harness.model.scenario import Control, MachineOptions, Timeouts
from harness.model.sweep import Cut, DistinctState, PlannedSweep
from harness.scenario import durations
from harness.scenario.after_cut import after_cut
from harness.scenario.perturb import describe, repetitions
from harness.scenario.sweep import describe_cuts

_WIDTH = 100
_DAY = 86400
_MARGIN = " " * 11


def explain(plan: Plan) -> str:
    """The plan on one page, ending in a newline: what is used, every numbered step, and what must hold."""
    return (
        "\n".join(
            [
                *_head(plan),
                "",
                *_steps(plan),
                "",
                *_holds(plan),
                *_controls(plan.controls),
                *_repetitions(plan),
                *_states(plan),
            ]
        )
        + "\n"
    )


def _head(plan: Plan) -> Iterator[str]:
    yield plan.title
    yield f"  {plan.summary}"
    yield ""
    yield from _labelled("file", plan.file)
    if plan.report:
        yield from _labelled("report", plan.report)
    yield from _labelled("image", plan.image)
    if machine := ", ".join(_machine(plan.machine)):
        yield from _labelled("machine", f"{machine}; from the first step on")
    yield from _labelled("snaps", ", ".join(map(_snap, plan.snaps)))
    yield from _labelled("services", ", ".join(plan.services) or "none")
    yield from _labelled("time-outs", _timeouts(plan.timeouts))
    if plan.perturbation:
        one = plan.perturbation
        yield from _labelled("repetition", f"{one.number} of seed {one.seed}: {describe(one)}")
    elif plan.repeat:
        yield from _labelled("repeated", _repeat(plan.repeat))
    if plan.sweep:
        yield from _labelled("swept", _sweep(plan.sweep))
    if plan.cut:
        yield from _labelled("cut", f"{plan.cut.cut} of {plan.cut.recording}")


def _machine(options: MachineOptions) -> Iterator[str]:
    if options.cpus:
        yield f"{options.cpus} CPU{'s' * (options.cpus > 1)}"
    if options.memory_mib:
        yield f"{options.memory_mib} MiB of memory"
    if options.clock_back:
        days = round(options.clock_back / _DAY)
        yield f"its clock {days} day{'s' * (days > 1)} back"


def _labelled(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(lines):
        yield f"  {label if number == 0 else '':<10} {line}"


def _snap(ref: SnapRef) -> str:
    name = f"core {ref.entry}" if ref.is_core else f"{ref.snap} ({ref.variant})"
    return f"{name} [replica]" if ref.replica else name


def _timeouts(timeouts: Timeouts) -> str:
    names = ("boot", "step", "settle", "command", "run")
    shown = ", ".join(f"{name} {durations.show(getattr(timeouts, name))}" for name in names)
    return f"{shown}; scaled by the host's speed"


def _repeat(repeat: Repeat) -> str:
    until = f", until fewer than {percent(repeat.until)} are shown to be VIOLATED" if repeat.until else ""
    stop = ", ending at the first that is VIOLATED" if repeat.stop is Stop.VIOLATED else ""
    differs = ", ".join(repeat.perturb) or "nothing"
    return f"{repeat.times} times{until}{stop}; seed {repeat.seed}; different in each: {differs}"


def _sweep(sweep: PlannedSweep) -> str:
    budget = durations.show(sweep.budget)
    return f"step {sweep.step}: cuts {describe_cuts(sweep)}; {budget} for the states, looked at and booted"


def _states(plan: Plan) -> Iterator[str]:
    """What is done after each cut that leaves another policy."""
    if not plan.sweep:
        return
    # What a sweep will find is not known yet: the steps are the same for every cut.
    booted = after_cut(plan, "", DistinctState("", Cut(0), 0, ()))
    left = [each.name for each in plan.invariants if each not in booted.invariants]
    yield ""
    yield f"after each cut in step {plan.sweep.step} that leaves another policy, a run of its own"
    for step in booted.steps:
        yield f"  {step.number:>5}  {step.title}  {durations.show(step.timeout):>7}"
        yield from _below(step)
    names = ", ".join(each.name for each in booted.invariants)
    yield from _wrapped(f"judged by {names}")
    if left:
        yield from _wrapped(f"not by {', '.join(left)}: one boot alone cannot be judged by that")


def _wrapped(text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return (f"  {line}" if number == 0 else f"    {line}" for number, line in enumerate(lines))


def _repetitions(plan: Plan) -> Iterator[str]:
    if plan.repeat and not plan.perturbation:
        yield ""
        yield "repetitions"
    for each in repetitions(plan) if not plan.perturbation else ():
        if each.perturbation:
            first, *rest = textwrap.wrap(describe(each.perturbation), _WIDTH)
            yield f"  {each.perturbation.number:>5}  {first}"
            yield from (f"{'':>9}{line}" for line in rest)


def _steps(plan: Plan) -> Iterator[str]:
    yield "steps (those with a line number are in the file, the others are implied)"
    width = max(len(_title(step)) for step in plan.steps)
    numbers = max(5, *(len(step.number) for step in plan.steps))
    for step in plan.steps:
        limit = durations.show(step.timeout)
        line = f"line {step.span.line}" if step.span else ""
        yield f"  {step.number:>{numbers}}  {_title(step):<{width}}  {limit:>7}  {line}".rstrip()
        yield from _below(step)


def _title(step: PlannedStep) -> str:
    indent = "  " * step.number.count(".")
    return f"{indent}{step.title}"


def _below(step: PlannedStep) -> Iterator[str]:
    """What a title has no room for."""
    match step.action:
        case Look(boot_end=True, expects_core=core, checks=checks):
            checked = "".join(f", checks {_check(check)}" for check in checks)
            expected = f"expects the snapd of core {core}" if core else "expects whichever snapd runs"
            yield f"{_MARGIN}{expected}{checked}"
        case RunCommand(command) | AwaitCommand(command) if command.strip() not in step.title:
            yield from _lines(command)
        case HoldUnit(until=command) if command:
            yield from _lines(command)
        case _:
            pass


def _lines(command: str) -> Iterator[str]:
    return (f"{_MARGIN}| {line}".rstrip() for line in command.rstrip().splitlines())


def _check(check: Check) -> str:
    return " ".join([check.name, *_shown({name: (text,) for name, text in check.parameters.items()})])


def _shown(parameters: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    return (f"{name}={','.join(texts)}" for name, texts in parameters.items() if any(texts))


def _holds(plan: Plan) -> Iterator[str]:
    yield "must hold"
    for invariant in plan.invariants:
        yield from _hold(invariant)


def _hold(invariant: PlannedInvariant) -> Iterator[str]:
    parameters = " ".join(_shown(invariant.parameters))
    yield f"  {invariant.name} {parameters}".rstrip()
    yield f"    {INVARIANTS[invariant.name].summary}"


def _controls(controls: Sequence[Control]) -> Iterator[str]:
    if controls:
        yield ""
        yield "this is a control: it must come out VIOLATED by"
    for control in controls:
        yield f"  {control.invariant}"
        if control.finding_class:
            yield f"    class    {control.finding_class}"
        if control.author:
            yield f"    author   {control.author}"
        if control.evidence:
            yield f"    evidence {control.evidence!r}"
        for subject in control.subjects:
            yield f"    subject  {subject}"
