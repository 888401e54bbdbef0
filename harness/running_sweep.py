# SPDX-License-Identifier: GPL-3.0-only
"""Carries a sweep out: a run is recorded, its cuts are looked at, and each different state is booted.

How far it is lies in the recording's run directory at any time: what was looked at, in `sweep/`, and what
each state came to, in `sweep.json`. So whatever ends a sweep, it can go on; what is large is deleted once it
is complete, unless the user keeps machines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from harness.cut.states import Choice
from harness.errors import HarnessError, RecordUnusable
from harness.host.deadline import Deadline
from harness.host.progress import Tell
from harness.host.rundir import locked
from harness.host.whole_file import make_durable, write_whole
from harness.lab import Lab
from harness.lab_spec import AfterCut
from harness.model import codec
from harness.model.event import StepRecorded
from harness.model.plan import InstallSnap, Plan, RemoveSnap, RevertSnap
from harness.model.sweep import POLICY_PATHS, DistinctState, PlannedSweep, SweepResult
from harness.model.sweep_summary import SUMMARY
from harness.model.timeline import RECORDING
from harness.record import is_closed, read_timeline
from harness.results import RunResult, came_of_result
from harness.results_sweep import Booted, whole
from harness.running_sweep_end import tell_how_to_go_on
from harness.scenario.after_cut import after_cut
from harness.scenario.same_plan import is_same
from harness.sweep import bootable, sweep
from harness.sweep.place import SweepPlace

_CURRENT = "/snap/{}/current"
# The last cut that belongs to a step is the first flush after its end, until which the guest's kernel may
# have written for 35 s more (vm.dirty_expire_centisecs, and ext4's commit).
_POWER_IS_BACK = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Measure:
    """Carries out one plan, or a boot after a cut, in a new run directory; judges one that is there."""

    carry_out: Callable[[Plan, AfterCut | None], Path]
    judge: Callable[[Plan, Path], RunResult]


@dataclass(frozen=True, slots=True)
class Before:
    """What an earlier call came to: states by their digests, and the ways to runs that were not measured."""

    results: Mapping[str, RunResult] = field(default_factory=dict)
    failed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


NOTHING_BEFORE = Before()


def carry_out_sweep(plan: Plan, planned: PlannedSweep, lab: Lab, tell: Tell, measure: Measure) -> RunResult:
    """Record the plan, sweep over it and boot what was found, to one result.

    A recording that failed is its own result: there is nothing to sweep over. Where the sweep itself fails,
    that is the result's error.
    """
    directory = measure.carry_out(plan, None)
    if not is_closed(directory):
        return measure.judge(plan, directory)
    with locked(directory):
        return sweep_over(plan, planned, directory, lab, tell, measure)


def sweep_over(
    plan: Plan,
    planned: PlannedSweep,
    directory: Path,
    lab: Lab,
    tell: Tell,
    measure: Measure,
    before: Before = NOTHING_BEFORE,
) -> RunResult:
    """Sweep over the plan's recording in `directory`, whose lock is held, after what was done `before`."""
    place = SweepPlace.of(directory)
    recorded = None
    result = None
    try:
        prepared = lab.prepare(plan)
        if place.settled is None:
            place.settle(lab.start_key(plan, prepared))
        recorded = measure.judge(plan, directory)
        deadline = lab.patience(prepared).deadline(planned.budget)
        sweeping = _Sweeping(
            recorded, planned, place, deadline, tell, measure, before, is_kept=lab.options.keep
        )
        result = sweeping.carry_out()
    except HarnessError as error:
        recorded = recorded or measure.judge(plan, directory)
        result = replace(recorded, verdict=replace(recorded.verdict, error=f"the sweep: {error}"))
    finally:
        _end(place, result, plan, lab, tell)
    return result


def _end(place: SweepPlace, result: RunResult | None, plan: Plan, lab: Lab, tell: Tell) -> None:
    """Leave what going on needs, and say so; nothing large where nothing is left to do."""
    complete = result is not None and result.swept is not None and result.swept.complete
    done = complete or place.settled is None
    if not lab.options.keep:
        place.discard() if done else place.tidy()
    if not done:
        tell_how_to_go_on(place, plan, lab.options, tell)


def step_recorded(directory: Path) -> StepRecorded:
    """What the record says of the step that is swept over.

    :raise RecordUnusable: nothing.
    """
    for recorded in read_timeline(directory).events:
        if isinstance(recorded.event, StepRecorded):
            return recorded.event
    raise RecordUnusable(f"cannot sweep over {directory.name}: its record does not say what the step wrote")


def paths_of(plan: Plan) -> tuple[str, ...]:
    """What tells states apart: the policy, and which revision is current of each snap that changes.

    The same policy is another state where it is another snapd's that runs.
    """
    swept = (step.action for step in plan.steps if plan.sweep and step.number == plan.sweep.step)
    names = ["core"]
    for action in swept:
        match action:
            case InstallSnap(ref):
                names.append(ref.snap)
            case RevertSnap(snap) | RemoveSnap(snap):
                names.append(snap)
            case _:
                pass
    return (*POLICY_PATHS, *(_CURRENT.format(name) for name in dict.fromkeys(names)))


@dataclass(frozen=True, slots=True)
class _Sweeping:
    """One sweep over what `recorded` left in `place`."""

    recorded: RunResult
    planned: PlannedSweep
    place: SweepPlace
    deadline: Deadline
    tell: Tell
    measure: Measure
    before: Before
    is_kept: bool

    def carry_out(self) -> RunResult:
        step = step_recorded(self.recorded.directory)
        found = self._look(step)
        booted = [self._known(state) for state in found.distinct]
        for number, one in enumerate(booted, 1):
            if one.result is None and not self.deadline.expired:
                booted[number - 1] = self._boot(f"sweep: {number}/{len(booted)}", number, one, step)
                self._note(found, booted)
        return self._note(found, booted)

    def _look(self, step: StepRecorded) -> SweepResult:
        planned = self.planned
        choice = Choice(
            points=planned.points or None, drop_one=planned.drop_one, since=step.since, until=step.until
        )
        return sweep(
            self.place.recording,
            self.place.path,
            self.tell,
            paths=paths_of(self.recorded.plan),
            choice=choice,
            deadline=self.deadline,
            note=lambda found: self._note(found, [self._known(state) for state in found.distinct]),
        )

    def _note(self, found: SweepResult, booted: Sequence[Booted]) -> RunResult:
        """All of it so far, as `sweep.json` says from now on."""
        result = whole(self.recorded, found, booted)
        durable = any(one.result for one in booted)
        write_whole(self.recorded.directory / SUMMARY, codec.dumps(result.swept) + "\n", durable=durable)
        return result

    def _known(self, state: DistinctState) -> Booted:
        """The state with what an earlier call came to, if that was the same boot."""
        result = self.before.results.get(state.digest)
        if result and not is_same(result.plan, self._plan(state)):
            result = None
        return Booted(state, result, self.before.failed.get(state.digest, ()))

    def _plan(self, state: DistinctState) -> Plan:
        return after_cut(self.recorded.plan, self.recorded.directory.name, state)

    def _boot(self, name: str, number: int, one: Booted, step: StepRecorded) -> Booted:
        state = one.state
        self.tell(f"{name} {state.cut}, the policy of {state.states} states")
        result = self._boot_state(number, state, step)
        self.tell(f"{name} {state.cut}: {came_of_result(result).name}")
        return replace(one, result=result)

    def _boot_state(self, number: int, state: DistinctState, step: StepRecorded) -> RunResult | HarnessError:
        recorded, disk, plan = self.recorded, self.place.state(number), self._plan(state)
        try:
            bootable(self.place.recording, state.cut, self.place.path, disk)
            cut = AfterCut(disk, _later(step.clock), recorded.directory, self.place.bytecode)
            directory = self.measure.carry_out(plan, cut)
            result = self.measure.judge(plan, directory)
            # The summary must not outlive, on the host's disk, the record that it speaks of.
            make_durable(path for path in directory.glob("*") if path.is_file())
            make_durable((directory / RECORDING).glob("*"))
        except HarnessError as error:
            return error
        finally:
            if not self.is_kept:
                disk.unlink(missing_ok=True)
        return result


def _later(clock: str) -> str:
    """What the clock shows when power is back: nothing on the disk is from after that."""
    return (datetime.fromisoformat(clock) + _POWER_IS_BACK).isoformat()
