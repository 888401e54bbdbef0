# SPDX-License-Identifier: GPL-3.0-only
"""Carries a sweep out: a run is recorded, its cuts are looked at, and each different state is booted.

What is large is deleted in the end, however it comes, unless the user keeps machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from harness.cut.states import Choice
from harness.errors import HarnessError, RecordUnusable
from harness.host.deadline import Deadline
from harness.host.progress import Tell
from harness.host.whole_file import write_whole
from harness.lab import Lab
from harness.lab_spec import AfterCut
from harness.model import codec
from harness.model.event import StepRecorded
from harness.model.plan import InstallSnap, Plan, RemoveSnap, RevertSnap
from harness.model.sweep import POLICY_PATHS, DistinctState, PlannedSweep, SweepResult
from harness.model.sweep_summary import SUMMARY
from harness.record import read_timeline
from harness.results import RunResult, came_of_result
from harness.results_sweep import Booted, whole
from harness.scenario.after_cut import after_cut
from harness.sweep import bootable, sweep
from harness.sweep.place import SweepPlace

RunOne = Callable[[Plan, AfterCut | None], RunResult]
"""Carries out one plan, or a boot after a cut, and judges it."""

_CURRENT = "/snap/{}/current"
# The last cut that belongs to a step is the first flush after its end, until which the guest's kernel may
# have written for 35 s more (vm.dirty_expire_centisecs, and ext4's commit).
_POWER_IS_BACK = timedelta(minutes=2)


def carry_out_sweep(plan: Plan, lab: Lab, tell: Tell, run_one: RunOne) -> RunResult:
    """Record the plan, sweep over it and boot what was found, to one result.

    A recording that failed is its own result: there is nothing to sweep over. Where the sweep itself fails,
    that is the result's error.
    """
    recorded = run_one(plan, None)
    place = SweepPlace.of(recorded.directory)
    try:
        if plan.sweep is None or recorded.verdict.error:
            return recorded
        deadline = lab.patience(lab.prepare(plan)).deadline(plan.sweep.budget)
        sweeping = _Sweeping(recorded, plan.sweep, place, deadline, tell, run_one, is_kept=lab.options.keep)
        return sweeping.carry_out()
    except HarnessError as error:
        failed = replace(recorded.verdict, error=f"the sweep: {error}")
        return replace(recorded, verdict=failed)
    finally:
        if not lab.options.keep:
            place.discard()


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
    run_one: RunOne
    is_kept: bool

    def carry_out(self) -> RunResult:
        step = step_recorded(self.recorded.directory)
        found = self._look(step)
        result = whole(self.recorded, found, tuple(self._boots(found.distinct, step)))
        if result.swept:
            write_whole(self.recorded.directory / SUMMARY, codec.dumps(result.swept) + "\n")
        return result

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
        )

    def _boots(self, states: Sequence[DistinctState], step: StepRecorded) -> Iterator[Booted]:
        for number, state in enumerate(states, 1):
            if self.deadline.expired:
                yield Booted(state, None)
                continue
            name = f"sweep: {number}/{len(states)} {state.cut}"
            self.tell(f"{name}, the policy of {state.states} states")
            result = self._boot(number, state, step)
            self.tell(f"{name}: {came_of_result(result).name}")
            yield Booted(state, result)

    def _boot(self, number: int, state: DistinctState, step: StepRecorded) -> RunResult | HarnessError:
        recorded, disk = self.recorded, self.place.state(number)
        plan = after_cut(recorded.plan, recorded.directory.name, state)
        try:
            bootable(self.place.recording, state.cut, self.place.path, disk)
            return self.run_one(
                plan, AfterCut(disk, _later(step.clock), recorded.directory, self.place.bytecode)
            )
        except HarnessError as error:
            return error
        finally:
            if not self.is_kept:
                disk.unlink(missing_ok=True)


def _later(clock: str) -> str:
    """What the clock shows when power is back: nothing on the disk is from after that."""
    return (datetime.fromisoformat(clock) + _POWER_IS_BACK).isoformat()
