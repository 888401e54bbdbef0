# SPDX-License-Identifier: GPL-3.0-only
"""A scenario file to scenarios: typed, one for each point of its matrix, every name still to be looked up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.model.invariants import INVARIANTS
from harness.model.repeat import Perturb
from harness.model.scenario import (
    Control,
    MachineOptions,
    Reboot,
    RebootHow,
    Scenario,
    Start,
    Step,
    Timeouts,
)
from harness.model.spans import Span
from harness.scenario import durations, source
from harness.scenario.amounts import Days, Size, Whole
from harness.scenario.holds import HOLD, note_repeated
from harness.scenario.repeat import REPEAT
from harness.scenario.shapes import Choice, Duration, Field, Filled, ListOf, OneOrMore, Record, Text
from harness.scenario.source import Node, Problems, Scalar, Table
from harness.scenario.steps import CONNECTION, START_STEP, STEP
from harness.scenario.sweep import NOT_REPEATED, SWEEP, note_impossible
from harness.scenario.vary import VARY, broken_variables, expand

_START = Record(
    "'start'",
    {
        "core": Field(Text("a core of the catalogue"), "the core to begin with", required=True),
        "snaps": Field(ListOf(Text("the name of a snap")), "snaps to install"),
        "connections": Field(ListOf(CONNECTION), "connections besides those that the catalogue gives"),
        "then": Field(ListOf(START_STEP), "what else all have in common that start alike, in order"),
    },
)
_TIMEOUTS = Record(
    "'timeouts'",
    {
        "boot": Field(Duration(), "until a boot can be reached"),
        "step": Field(Duration(), "for a change or a wait"),
        "settle": Field(Duration(), "until a boot has nothing left to do"),
        "command": Field(Duration(), "for a command"),
        "run": Field(Duration(), "for all of it"),
    },
)
_CONTROL = Record(
    "'control'",
    {
        "violates": Field(
            Choice("invariant", tuple(INVARIANTS)), "the invariant that must be VIOLATED", required=True
        ),
        "subjects": Field(
            ListOf(Text("a security tag or a unit")), "each of these must be among the findings"
        ),
        "author": Field(Text("a core of the catalogue"), "the core whose policy they must be found under"),
        "class": Field(Text("a class of finding"), "the class that the findings must have, such as stale"),
        "evidence": Field(Text("words"), "words that the evidence of the findings must have"),
    },
)
_MIB = 1 << 20
_MACHINE = Record(
    "'machine'",
    {
        "cpus": Field(Whole(1, 16), "how many CPUs it has"),
        "memory": Field(Size(384 * _MIB, 16384 * _MIB), "how much memory it has, such as 512 MiB"),
        "clock-back": Field(Days(3650), "how far its real-time clock is set back, such as 30 days"),
    },
)
DOCUMENT = Record(
    "the scenario",
    {
        "summary": Field(Text("one line of text", r"[^\n]+"), "one line for people", required=True),
        "report": Field(Text("a link (https://…)", r"https?://\S+"), "where the trouble was reported"),
        "image": Field(Text("an image of the catalogue"), "the guest to run in", required=True),
        "start": Field(_START, "what is installed before the first step", required=True),
        "machine": Field(_MACHINE, "how the machine differs from the first step on, not in the start"),
        "vary": Field(VARY, "variables and their values: the scenario runs once for each combination"),
        "steps": Field(ListOf(STEP, 1, "say what happens"), "what happens, in order", required=True),
        "hold": Field(
            ListOf(HOLD, 1, "a scenario that holds nothing proves nothing"), "what must hold", required=True
        ),
        "timeouts": Field(_TIMEOUTS, "nominal, scaled by how fast the host is"),
        "repeat": Field(REPEAT, "how often it is run, each time with a machine that is a little different"),
        "sweep": Field(SWEEP, "what the power is cut in, at every place where that can be done"),
        "control": Field(
            OneOrMore(_CONTROL, 1),
            "how this scenario must come out VIOLATED, to prove that the check can fail",
        ),
    },
)


ONCE = "a control is not repeated: it must come out VIOLATED each time"


def load_scenarios(path: Path) -> tuple[Scenario, ...]:
    """The scenarios of a file, one for each variant, in the order of the file.

    Raises Mistake when the file cannot be read and Mistakes with all that is wrong in it.
    """
    problems = Problems()
    scenarios = read_scenarios(path, problems)
    problems.raise_if_any()
    return scenarios


def read_scenarios(path: Path, problems: Problems) -> tuple[Scenario, ...]:
    """As `load_scenarios`, but mistakes are noted; what is wrong is left out of the scenarios."""
    return decode(source.load(path), name_of(path), problems)


def decode(root: Node, name: str, problems: Problems) -> tuple[Scenario, ...]:
    """The scenarios of a document; what is wrong is noted and left out of them."""
    if not isinstance(root, Table):
        DOCUMENT.fill(root, "the file", problems)
        return ()
    points = expand(root, problems)
    found = Problems()
    scenarios = tuple(_scenario(point.root, name, point.variant, found) for point in points)
    broken = broken_variables(root, points)
    kept = (problem for problem in found.found if not any(name in problem.message for name in broken))
    problems.found = list(dict.fromkeys([*problems.found, *kept]))
    return scenarios


def name_of(path: Path) -> str:
    """The file's place below the directory called `scenarios`, without ``.yaml``; else its bare name."""
    parts = path.absolute().parts
    stem = path.name.removesuffix(".yaml")
    if "scenarios" not in parts[:-1]:
        return stem
    after = len(parts) - parts[::-1].index("scenarios", 1)
    return "/".join([*parts[after:-1], stem])


def _scenario(root: Table, name: str, variant: Mapping[str, str], problems: Problems) -> Scenario:
    before = len(problems.found)
    filled = DOCUMENT.fill(root, "the file", problems)
    is_whole = len(problems.found) == before
    values: Mapping[str, Any] = filled.values if filled else {}
    nowhere = Scalar(root.span, "", plain=True)
    image = values.get("image", nowhere)
    holds = values.get("hold", ())
    note_repeated(holds, problems)
    repeated, control = root.get("repeat"), root.get("control")
    if repeated is not None and control is not None:
        problems.add(repeated.span, ONCE, hint="leave 'repeat' out, or 'control'")
    sweep = values.get("sweep")
    if sweep and repeated is not None:
        problems.add(repeated.span, NOT_REPEATED, hint="leave 'repeat' out, or 'sweep'")
    if sweep and is_whole:
        note_impossible(sweep, values.get("steps", ()), holds, problems)
    machine = _machine(values.get("machine"))
    repeat = values.get("repeat")
    if machine.cpus and repeat and Perturb.CPUS in repeat.perturb:
        message = "'repeat' perturbs the number of CPUs, which 'machine' sets"
        hint = "leave 'cpus' out of one: 'perturb: [delays, entropy]'"
        problems.add(repeated.span if repeated else root.span, message, hint=hint)
    return Scenario(
        file=root.span.file,
        name=name,
        summary=values.get("summary", nowhere).text,
        span=root.span,
        image=image.text,
        image_span=image.span,
        start=_start(values.get("start"), root.span, problems),
        steps=values.get("steps", ()),
        hold=holds,
        report=values.get("report", nowhere).text,
        variant=variant,
        timeouts=_timeouts(values.get("timeouts"), problems),
        controls=tuple(_control(each) for each in values.get("control", ())),
        repeat=repeat,
        machine=machine,
        sweep=sweep,
    )


def _start(filled: Filled | None, span: Span, problems: Problems) -> Start:
    if filled is None:
        return Start(span, "")
    core, snaps, connections = filled.get("core"), filled.get("snaps", ()), filled.get("connections", ())
    names: dict[str, Span] = {}
    for scalar in (core, *snaps, *connections):
        if scalar.text in names:
            problems.add(scalar.span, f"{scalar.text!r} is given twice, first at {names[scalar.text]}")
        names[scalar.text] = scalar.span
    then: tuple[Step, ...] = filled.get("then", ())
    for step in then:
        if isinstance(step, Reboot) and step.how not in (RebootHow.CLEAN, RebootHow.RESET):
            message = f"a start has no 'reboot: {step.how}'"
            problems.add(step.span, message, expected="clean or reset", hint="put it into 'steps'")
    return Start(filled.span, core.text, _texts(snaps), _texts(connections), names, then)


def _timeouts(filled: Filled | None, problems: Problems) -> Timeouts:
    if filled is None:
        return Timeouts()
    timeouts = Timeouts(**filled.values)
    for name in ("boot", "step", "settle", "command"):
        if getattr(timeouts, name) > timeouts.run:
            longer = f"'{name}' ({durations.show(getattr(timeouts, name))})"
            problems.add(filled.span, f"{longer} is longer than 'run' ({durations.show(timeouts.run)})")
    return timeouts


def _machine(filled: Filled | None) -> MachineOptions:
    if filled is None:
        return MachineOptions()
    get = filled.get
    return MachineOptions(get("cpus", 0), get("memory", 0) // _MIB, get("clock-back", 0.0))


def _control(filled: Filled) -> Control:
    subjects, author, kind = filled.get("subjects", ()), filled.get("author"), filled.get("class")
    evidence = filled.get("evidence")
    return Control(
        filled.span,
        filled.get("violates"),
        _texts(subjects),
        author.text if author else "",
        kind.text if kind else "",
        evidence.text if evidence else "",
        {scalar.text: scalar.span for scalar in (*subjects, author) if scalar},
    )


def _texts(scalars: tuple[Scalar, ...]) -> tuple[str, ...]:
    return tuple(scalar.text for scalar in scalars)
