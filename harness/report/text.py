# SPDX-License-Identifier: GPL-3.0-only
"""A run on a terminal: the verdict, what it means, and everything that it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from harness.model.event import (
    FingerprintUsed,
    MachineStarted,
    MemoryRead,
    RunOpened,
    StartRepeated,
    StepBegan,
    StepEnded,
)
from harness.model.timeline import Timeline
from harness.model.verdict import Evidence, Finding, Outcome, Verdict
from harness.policy.builds import short
from harness.report.boots import boots
from harness.report.kept_start import boots_of_start, in_doubt
from harness.report.layout import Page
from harness.scenario.perturb import describe

_MEANING = {
    Outcome.HELD: "Everything that the scenario holds was measured, and it is so.",
    Outcome.UNPROVEN: "Nothing was shown to be wrong, but not everything was shown to be right: not a pass.",
    Outcome.VIOLATED: "Something that must hold was measured, and it is not so.",
}
_NOT_MEASURED = "The run could not be carried out; what follows is what was found before it ended."

# A run that ended early leaves every later boot open, invariant by invariant.
_MOST_ALIKE = 3
_FROM_WORST = (Outcome.VIOLATED, Outcome.UNPROVEN, Outcome.HELD)


def render(timeline: Timeline, verdict: Verdict, colour: bool) -> str:
    """The page, at most 100 columns wide; `colour` is for a terminal that shows colours."""
    page = Page(colour)
    sections = (
        _head(timeline, verdict, page),
        boots(timeline, verdict, page),
        _steps(timeline, page),
        _findings(verdict, page),
        _versions(timeline, page),
    )
    return "\n".join(line for section in sections for line in section) + "\n"


def _head(timeline: Timeline, verdict: Verdict, page: Page) -> Iterator[str]:
    yield from page.headed("ERROR" if verdict.error else verdict.outcome.value, verdict.scenario)
    yield from page.line(_NOT_MEASURED if verdict.error else _MEANING[verdict.outcome], indent=2)
    for line in verdict.error.splitlines():
        yield from page.line(line.strip(), indent=4)
    counts = Counter(finding.outcome for finding in verdict.findings)
    told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in _FROM_WORST if counts[outcome])
    yield from page.line(f"Findings: {told or 'none'}.", indent=2)
    if doubt := in_doubt(timeline, verdict):
        yield from page.line(doubt, indent=2)
    yield from _control(verdict, page)
    if timeline.plan.perturbation:
        one = timeline.plan.perturbation
        yield from page.line(f"Repetition {one.number} of seed {one.seed}: {describe(one)}.", indent=2)
    if timeline.plan.cut:
        cut = timeline.plan.cut
        yield from page.line(
            f"The boot after the {cut.cut} of {cut.recording}; {_alike(cut.states)}.", indent=2
        )
    if verdict.replicas:
        names = ", ".join(verdict.replicas)
        yield from page.line(
            f"Rests on replicas, which re-create a release and are not it: {names}.", indent=2
        )


def _alike(states: int) -> str:
    return f"{states} states of its disk have this policy" if states > 1 else "no other state has this policy"


def _control(verdict: Verdict, page: Page) -> Iterator[str]:
    if verdict.control is None:
        return
    if verdict.control.as_expected:
        yield from page.line("Control: came out as it must; this violation is seen.", indent=2)
        return
    yield from page.line("Control: did NOT come out as it must; this violation is not seen:", indent=2)
    for missing in verdict.control.missing:
        yield from page.line(missing, indent=4)


def _steps(timeline: Timeline, page: Page) -> Iterator[str]:
    yield from page.title("Steps")
    ended = {e.event.number: e.event for e in timeline.events if isinstance(e.event, StepEnded)}
    for recorded in timeline.events:
        if not isinstance(recorded.event, StepBegan):
            continue
        end = ended.get(recorded.event.number)
        seconds = f"{end.seconds:8.1f} s" if end else "   not ended"
        detail = f": {end.detail}" if end and end.detail else ""
        text = f"{seconds}  {recorded.event.number:<5} {recorded.event.title}{detail}"
        yield from page.line(text, indent=1, hang=19)
    total = sum(end.seconds for end in ended.values())
    yield from page.line(f"{total:8.1f} s  in {len(ended)} steps", indent=1)


def _findings(verdict: Verdict, page: Page) -> Iterator[str]:
    yield from page.title("Findings")
    for outcome in _FROM_WORST:
        of_outcome = [finding for finding in verdict.findings if finding.outcome == outcome]
        told = Counter[tuple[str, str]]()
        for finding in of_outcome:
            alike = (finding.invariant, finding.kind)
            told[alike] += 1
            if outcome != Outcome.UNPROVEN or told[alike] <= _MOST_ALIKE:
                yield from _finding(finding, page)
        for (invariant, kind), count in told.items():
            if outcome == Outcome.UNPROVEN and count > _MOST_ALIKE:
                more = f"{invariant}  {kind}: {count - _MOST_ALIKE} more like these"
                yield from page.headed(outcome.value, more, indent=2)


def _finding(finding: Finding, page: Page) -> Iterator[str]:
    where = f"boot {finding.boot}" if finding.boot else "run"
    author = f", made by {finding.author}" if finding.author and finding.outcome != Outcome.HELD else ""
    heading = f"{finding.invariant}  {where}  {finding.subject}: {finding.kind}{author}"
    yield from page.headed(finding.outcome.value, heading, indent=2)
    if finding.outcome == Outcome.HELD:
        return
    yield from page.line(finding.summary, indent=6)
    for evidence in _new(finding):
        yield from page.line(f"{evidence.file}:{evidence.line}  {evidence.says}", indent=8)


def _new(finding: Finding) -> Iterable[Evidence]:
    """The evidence; where it only repeats the summary, its place alone."""
    for evidence in finding.evidence:
        same = evidence.says == finding.summary
        yield Evidence(evidence.file, evidence.line, "says so" if same else evidence.says)


def _versions(timeline: Timeline, page: Page) -> Iterator[str]:
    machines: list[MachineStarted] = []
    yield from page.title("Made with")
    for recorded in timeline.events:
        match recorded.event:
            case RunOpened(harness=harness, host=host):
                facts = "".join(f"; {key} {host[key]}" for key in sorted(host))
                yield from page.line(f"harness {harness}{facts}", indent=2)
            case StartRepeated(key=key, made=made) as start:
                which = boots_of_start(start, timeline)
                yield from page.line(f"the start of {made} ({which}): {short(key)}", indent=2)
            case MachineStarted() as machine:
                if machine not in machines:
                    yield from page.line(_machine(machine), indent=2)
                machines.append(machine)
            case FingerprintUsed(key=key, fingerprint=fingerprint):
                yield from page.line(f"fingerprint of {fingerprint.core}: {short(key)}", indent=2)
            case MemoryRead() as memory:
                peaks = f"QEMU {memory.qemu_peak // 1024} MiB, harness {memory.harness_peak // 1024} MiB"
                yield from page.line(f"highest memory: {peaks}", indent=2)
            case _:
                pass
    for artifact in timeline.artifacts:
        build = artifact.build_ids.get("snapd", "")
        snapd = f", snapd {short(build)}" if build else ""
        yield from page.line(f"{artifact.role} {artifact.name}: {short(artifact.sha256)}{snapd}", indent=2)


def _machine(machine: MachineStarted) -> str:
    what = f"QEMU {machine.qemu}, {machine.accelerator}, CPU {machine.cpu_model}"
    return f"{what}, time-outs times {machine.host_factor:g}: {machine.why}"
