# SPDX-License-Identifier: GPL-3.0-only
"""What was done and what with: steps, plan, versions, bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.model.event import (
    ArtifactUsed,
    CommandRan,
    MachineStarted,
    MemoryRead,
    RunOpened,
    StartRepeated,
    StepBegan,
    StepEnded,
)
from harness.model.timeline import Timeline
from harness.report.html_table import table
from harness.report.kept_start import boots_of_start
from harness.report.markup import Content, Markup, element
from harness.report.strip import counted

_MOST_STEPS = 500


def facts(timeline: Timeline) -> Iterator[Markup]:
    """The sections, in their order."""
    versions = *_versions(timeline), _artefacts(timeline)
    for title, parts in (("Steps", _steps(timeline)), ("Plan", _plan(timeline)), ("Versions", versions)):
        yield element("section", element("h2", title), *parts, id=title.lower())


def _steps(timeline: Timeline) -> Iterator[Markup]:
    ended = {e.event.number: e.event for e in timeline.events if isinstance(e.event, StepEnded)}
    commands = {e.event.number: e.event for e in timeline.events if isinstance(e.event, CommandRan)}
    began = [e.event for e in timeline.events if isinstance(e.event, StepBegan)]
    rows = [_step(step, ended.get(step.number), commands.get(step.number)) for step in began[:_MOST_STEPS]]
    total = sum(end.seconds for end in ended.values())
    if not began:
        yield element("p", "No step began.")
        return
    left = len(timeline.plan.steps) - len({step.number for step in began})
    caption = f"{counted(len(began), 'step')} began, {len(ended)} ended, in {total:.1f} s"
    if left > 0:
        caption += f"; {left} of the plan's were not reached"
    yield table(caption, ("seconds", "step", "what", "detail"), rows)


def _step(step: StepBegan, end: StepEnded | None, command: CommandRan | None) -> Markup:
    seconds: Content = f"{end.seconds:.1f}" if end else element("span", "not ended", class_="bad")
    detail = [element("div", end.detail)] if end and end.detail else []
    if command and command.output.strip():
        detail.append(element("pre", command.output.strip()))
    return element(
        "tr",
        element("td", seconds, class_="n", data_name="seconds"),
        element("td", step.number, class_="k", data_name="step"),
        element("th", step.title, scope="row"),
        element("td", *detail),
    )


def _plan(timeline: Timeline) -> Iterator[Markup]:
    plan = timeline.plan
    snaps = ", ".join(
        f"{ref.snap} {ref.entry}"
        + (f" ({ref.variant})" if ref.variant else "")
        + (" (replica)" if ref.replica else "")
        for ref in plan.snaps
    )
    variant = ", ".join(f"{key} = {value}" for key, value in plan.variant.items())
    rows = (
        ("scenario", plan.title),
        ("file", plan.file),
        ("variant", variant or "none"),
        ("image", plan.image),
        ("snaps", snaps),
        ("services", ", ".join(plan.services)),
        ("holds", "; ".join(_held(one.name, one.parameters) for one in plan.invariants)),
    )
    yield element("dl", *_pairs(rows), class_="facts")
    items = [
        element("li", f"{step.title}", element("span", f" at most {step.timeout:g} s", class_="soft"))
        for step in plan.steps[:_MOST_STEPS]
    ]
    yield element("details", element("summary", f"{len(plan.steps)} planned steps"), element("ol", *items))


def _held(name: str, parameters: Iterable[tuple[str, tuple[str, ...]]] | object) -> str:
    pairs = parameters.items() if hasattr(parameters, "items") else ()
    told = ", ".join(f"{key} {' '.join(values)}" for key, values in pairs if values)
    return f"{name} ({told})" if told else name


def _versions(timeline: Timeline) -> Iterator[Markup]:
    rows: list[tuple[str, str]] = []
    for recorded in timeline.events:
        match recorded.event:
            case RunOpened(harness=harness, host=host):
                rows.append(("harness", harness))
                rows += ((f"host: {key}", host[key]) for key in sorted(host))
            case StartRepeated(key=key, made=made) as start:
                text = f"the start that was carried out at {made}, kept as {key}"
                rows.append((boots_of_start(start, timeline), text))
            case MachineStarted() as machine:
                rows += (row for row in _machine(machine) if row not in rows)
            case MemoryRead() as memory:
                peaks = f"QEMU {memory.qemu_peak // 1024} MiB, harness {memory.harness_peak // 1024} MiB"
                rows.append(("highest memory", peaks))
            case _:
                pass
    rows += (("missing of the record", gap) for gap in timeline.gaps)
    yield element("dl", *_pairs(rows), class_="facts")


def _machine(machine: MachineStarted) -> Iterator[tuple[str, str]]:
    yield "QEMU", machine.qemu
    yield "accelerator", f"{machine.accelerator}: {machine.why}"
    yield "CPU", machine.cpu_model
    yield "time-outs", f"times {machine.host_factor:g}"


def _pairs(rows: Iterable[tuple[str, str]]) -> Iterator[Markup]:
    for name, value in rows:
        yield element("dt", name)
        yield element("dd", value)


def _artefacts(timeline: Timeline) -> Markup:
    rows = [_artefact(artefact) for artefact in timeline.artifacts]
    return table("Bytes that went into the run", ("role", "name", "sha256", "build ids"), rows)


def _artefact(artefact: ArtifactUsed) -> Markup:
    builds = [
        element("div", f"{name} ", element("code", build))
        for name, build in sorted(artefact.build_ids.items())
    ]
    folded: Sequence[Content] = builds
    if len(builds) > 1:
        snapd = artefact.build_ids.get("snapd", "")
        rest = element(
            "summary", f"snapd {snapd[:16]} and {len(builds) - 1} more" if snapd else f"{len(builds)}"
        )
        folded = [element("details", rest, *builds)]
    return element(
        "tr",
        element("td", artefact.role, class_="k", data_name="role"),
        element("th", artefact.name, scope="row"),
        element("td", element("code", artefact.sha256)),
        element("td", *folded),
    )
