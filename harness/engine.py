# SPDX-License-Identifier: GPL-3.0-only
"""Carries out a plan and writes a record; decides nothing about what the guest did.

What the guest does wrong is recorded and judged later. What raises here is a failure to measure: it is
written into the record as the step it happened in, its kind and its words, and the run ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.errors import CannotMeasure
from harness.fault import Undo, apply
from harness.host.deadline import Deadline, monotonic
from harness.host.progress import Progress, Tell
from harness.host.rundir import RunDirectory
from harness.image.starts import Carried, Start
from harness.lab import Lab
from harness.lab_prepared import Prepared
from harness.lab_spec import AfterCut
from harness.machine import Machine
from harness.model.event import (
    RECORD_FORMAT,
    ArtifactUsed,
    CheckRead,
    CommandRan,
    FaultEnded,
    FingerprintUsed,
    LookTaken,
    PointPassed,
    RunClosed,
    RunFailed,
    RunOpened,
    StepBegan,
    StepEnded,
    StepRecorded,
)
from harness.model.plan import (
    Action,
    AwaitChange,
    AwaitCommand,
    AwaitPoint,
    AwaitReady,
    AwaitUnit,
    BeginFault,
    Boot,
    Check,
    ConnectPlug,
    DisconnectPlug,
    EndFault,
    HoldUnit,
    InstallSnap,
    Look,
    Plan,
    PlannedStep,
    RebootGuest,
    ReleaseUnit,
    RemoveSnap,
    RevertSnap,
    RunCommand,
    Settle,
    StartChange,
    SwitchOff,
)
from harness.model.timeline import RECORDING
from harness.record_start import keep_whole
from harness.record_writing import Recorder, plan_sha256
from harness.sweep.place import SweepPlace, require_room

_LONGEST_OUTPUT = 4000


def run_plan(plan: Plan, lab: Lab, tell: Tell, cut: AfterCut | None = None) -> Path:
    """Run `plan` on a machine of `lab` and return the run directory; `cut` is what a boot after one is of.

    A failure to measure ends the run early and is in its record. Raises HarnessError only when there
    is nothing to record yet: an artefact that cannot be built, a host without room for a run.
    """
    prepared = lab.prepare(plan)
    if plan.sweep:
        require_room(lab.options.runs, prepared.image.disk)
    fingerprints = tuple(lab.fingerprints(plan, prepared))
    with lab.record(plan) as (directory, record):
        _opening(plan, (*prepared.artifacts(), *fingerprints), lab, record)
        complete = False
        progress = Progress(tell, len(plan.steps))
        execution = _Execution(plan, record, progress)
        try:
            if cut:
                keep_whole(cut.recording, directory.path / RECORDING)
            start = execution.start(lab, prepared, directory) if plan.start else cut
            with lab.machine(prepared, directory, record, plan.perturbation, start=start) as machine:
                execution.carry_out(plan.steps[len(plan.start) :], machine)
                record.write(machine.memory())
            complete = True
        except CannotMeasure as error:
            tell(f"cannot measure: {error}")
            record.write(RunFailed(execution.number, type(error).__name__, str(error)))
        except BaseException as error:
            record.write(RunFailed(execution.number, type(error).__name__, f"the run was ended: {error}"))
            raise
        finally:
            if plan.sweep and not complete and not lab.options.keep:
                SweepPlace.of(directory.path).discard()
            record.write(RunClosed(complete))
    return directory.path


def start_of_run(
    plan: Plan, lab: Lab, prepared: Prepared, directory: RunDirectory, record: Recorder, tell: Tell
) -> Start:
    """The start of a plan that has one, and nothing of what comes after it; raises as a run's steps do."""
    return _Execution(plan, record, Progress(tell, len(plan.start))).start(lab, prepared, directory)


def _opening(plan: Plan, given: Iterable[ArtifactUsed | FingerprintUsed], lab: Lab, record: Recorder) -> None:
    record.write(RunOpened(RECORD_FORMAT, lab.version, plan_sha256(plan), lab.host_facts()))
    for event in given:
        record.write(event)


class _Execution:
    """One plan being carried out; `number` is the step that it is at."""

    def __init__(self, plan: Plan, record: Recorder, progress: Progress) -> None:
        self._plan = plan
        self._record = record
        self._progress = progress
        self._change: str | None = None
        self._ends: Deadline | None = None
        self._bytecode: Mapping[str, bytes] = {}
        self._unsettled: list[str] = []
        self._undo: dict[int, Undo] = {}
        self.number = ""

    def carry_out(self, steps: Iterable[PlannedStep], machine: Machine) -> None:
        self._ends = self._ends or machine.patience.deadline(self._plan.timeouts.run)
        with self._progress.heartbeat(machine.last_words):
            for step in steps:
                self._step(step, machine, self._ends.earlier_of(machine.patience.deadline(step.timeout)))

    def start(self, lab: Lab, prepared: Prepared, directory: RunDirectory) -> Start:
        """Carry the plan's start out, or have it repeated."""
        return lab.start(self._plan, prepared, directory, self._record, self)

    def carry_out_start(self, steps: Iterable[PlannedStep], machine: Machine) -> Carried:
        """Carry out steps that end with the machine switched off."""
        self.carry_out(steps, machine)
        return Carried(self._bytecode, tuple(self._unsettled))

    def skip_start(self, steps: Sequence[PlannedStep], start: Start) -> None:
        """The run's first steps were repeated."""
        self._progress.skip(len(steps), f"the start is the one of {start.made}")

    def _step(self, step: PlannedStep, machine: Machine, deadline: Deadline) -> None:
        self.number = step.number
        self._record.write(StepBegan(step.number, step.title))
        self._progress.begin(step.number, step.title)
        began = monotonic()
        swept = self._plan.sweep is not None and step.number == self._plan.sweep.step
        with machine.explaining(f"step {step.number} ({step.title})"):
            since = machine.written if swept else 0
            if self._plan.points and not isinstance(step.action, AwaitPoint):
                machine.mark()
            detail = self._act(step.action, machine, deadline)
            if swept:
                self._record.write(StepRecorded(step.number, since, machine.written, machine.clock))
        seconds = monotonic() - began
        self._record.write(StepEnded(step.number, round(seconds, 3), detail))
        self._progress.end(seconds, detail)

    def _act(self, action: Action, machine: Machine, deadline: Deadline) -> str:
        match action:
            case Boot(held=True):
                return machine.await_witness(deadline)
            case Boot() | AwaitReady():
                return machine.await_boot(deadline)
            case RebootGuest(how, held):
                self._change = None
                return machine.reboot(how, deadline, held=held)
            case SwitchOff(at_once):
                self._change = None
                self._bytecode = machine.power_off(deadline, at_once=at_once)
                return ""
            case HoldUnit():
                machine.hold(action, deadline)
                return ""
            case ReleaseUnit(number):
                machine.release(number, deadline)
                return ""
            case AwaitPoint(point):
                reached = machine.await_point(point, deadline)
                self._record.write(PointPassed(self.number, machine.boot, reached))
                return "" if reached else "never reached"
            case BeginFault(number, fault):
                self._undo[number] = apply(fault, machine, deadline)
                return ""
            case EndFault(number):
                struck = self._undo.pop(number)(deadline)
                self._record.write(FaultEnded(self.number, machine.boot, struck))
                return "" if struck is None else f"struck {struck} times"
            case RunCommand(command):
                return self._command(command, machine, deadline)
            case AwaitCommand(command):
                return self._command(_repeat_until(command, deadline), machine, deadline)
            case AwaitUnit(unit, state):
                return self._command(_repeat_until(_unit_is(unit, state), deadline), machine, deadline)
            case Settle():
                return self._look(Look("settled", ""), machine, deadline, settle=True)
            case Look():
                return self._look(action, machine, deadline, settle=action.boot_end)
            case StartChange(change):
                self._change = machine.start_change(change, deadline)
                return f"change {self._change}"
            case AwaitChange():
                return self._await_change(machine, deadline)
            case InstallSnap() | RevertSnap() | RemoveSnap() | ConnectPlug() | DisconnectPlug():
                return machine.change(action, deadline)

    def _await_change(self, machine: Machine, deadline: Deadline) -> str:
        if self._change is None:
            return "a reboot came between"
        change, self._change = self._change, None
        return machine.await_change(change, deadline)

    def _command(self, command: str, machine: Machine, deadline: Deadline) -> str:
        result = machine.shell.run(command, deadline, check=False)
        output = (result.stdout + result.stderr)[-_LONGEST_OUTPUT:]
        self._record.write(CommandRan(self.number, command, result.status, output, round(result.seconds, 3)))
        if result.status:
            raise CannotMeasure(
                f"a command of the scenario ended with status {result.status}: {output.strip()}"
            )
        return ""

    def _look(self, action: Look, machine: Machine, deadline: Deadline, *, settle: bool) -> str:
        look = machine.look(action.reason, deadline, settle=settle, twins=action.twins)
        if settle:
            self._unsettled += look.unsettled
        self._record.write(
            LookTaken(self.number, machine.boot, look.number, action.expects_core, action.boot_end)
        )
        for check in action.checks:
            self._check(check, machine)
        return f"not settled: {', '.join(look.unsettled)}" if look.unsettled else ""

    def _check(self, check: Check, machine: Machine) -> None:
        passed, seen = machine.check(check)
        self._record.write(CheckRead(self.number, machine.boot, check.name, check.parameters, passed, seen))


def _unit_is(unit: str, state: str) -> str:
    return f'test "$(systemctl show -P ActiveState {unit})" = {state}'


def _repeat_until(command: str, deadline: Deadline) -> str:
    """A loop in the guest, so that each try costs no round trip and nothing runs after its end."""
    seconds = max(1, int(min(deadline.remaining, 86400)))
    quoted = command.replace("'", "'\\''")
    return f"timeout {seconds} sh -c 'until sh -c \"$0\" >/dev/null 2>&1; do sleep 0.2; done' '{quoted}'"
