# SPDX-License-Identifier: GPL-3.0-only
"""A scenario's steps to numbered actions, with those that are implied: the start, looks, and boots' ends."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from harness.model.catalogue import Catalogue
from harness.model.invariants import INVARIANTS
from harness.model.plan import (
    Action,
    AwaitChange,
    AwaitCommand,
    AwaitPoint,
    AwaitReady,
    AwaitUnit,
    Boot,
    ConnectPlug,
    DisconnectPlug,
    InstallSnap,
    Look,
    PlannedStep,
    RebootGuest,
    RunCommand,
    Settle,
    StartChange,
    SwitchOff,
)
from harness.model.scenario import (
    Connect,
    Disconnect,
    During,
    HoldStart,
    Install,
    Reboot,
    RebootHow,
    Refresh,
    Release,
    Remove,
    Revert,
    Run,
    Scenario,
    Step,
    WaitHeld,
    WaitSettled,
    WaitUnit,
    WaitUntil,
    When,
    WithFault,
)
from harness.model.spans import Span
from harness.scenario.changes import Change, action_of, changes_revision, title_of
from harness.scenario.checks import checks_for
from harness.scenario.connections import Connections
from harness.scenario.fault_blocks import FaultBlocks, needs_commands
from harness.scenario.faults import is_momentary, show_fault
from harness.scenario.numbers import Numbers
from harness.scenario.points import show_point
from harness.scenario.refs import Refs
from harness.scenario.sequence import Sequence, ends_boot
from harness.scenario.source import Problems
from harness.scenario.start_end import begins_anew, check_end
from harness.scenario.steps import split_connection
from harness.scenario.titles import first_line
from harness.scenario.unit_holds import UnitHolds


class Emitter:
    """Emits one scenario's planned steps, following what is installed meanwhile."""

    def __init__(self, scenario: Scenario, catalogue: Catalogue, refs: Refs, problems: Problems) -> None:
        self._scenario = scenario
        self._refs = refs
        self._timeouts = scenario.timeouts
        self._sequence = Sequence(scenario.start.core, problems)
        self._connections = Connections(catalogue, self._sequence)
        self._holds = UnitHolds(scenario.timeouts.step, problems)
        self._faults = FaultBlocks(problems)
        self._numbers = Numbers()
        self._boot = 1
        self._problems = problems
        self._planned: list[PlannedStep] = []
        self._core_stayed = True
        self._takes_commands = True
        self._look_waits = False
        self._under_way = False
        self._starting = True
        self._following: Step | None = None

    def emit(self) -> tuple[PlannedStep, ...]:
        """All steps in order."""
        self._start()
        self._steps(self._scenario.steps, None)
        self._holds.finish()
        self._end_boot()
        return tuple(self._planned)

    def _title(self, change: Change) -> str:
        return title_of(change, self._refs, self._sequence)

    def _add(self, title: str, action: Action, timeout: float, span: Span | None = None) -> None:
        self._planned.append(PlannedStep(self._numbers.next(), title, action, timeout, span))

    def _start(self) -> None:
        start = self._scenario.start
        self._add("boot", Boot(), self._timeouts.boot)
        self._add(f"install core {start.core}", InstallSnap(self._refs.core(start.core)), self._timeouts.step)
        for snap in start.snaps:
            step = Install(start.names.get(snap, start.span), snap)
            self._add(self._title(step), action_of(step, self._refs), self._timeouts.step)
            self._take(step)
        for connection in start.connections:
            self._take(Connect(start.names.get(connection, start.span), *split_connection(connection)))
        self._connections.want(start.connections)
        self._connect_possible()
        self._look("after the start")
        check_end(start.then, self._problems)
        then = start.then
        if reboot := begins_anew(then):
            self._switch_off()
            then = then[1:]
            self._switch_on(then, reboot.span)
        elif then:
            self._end_boot("the installations")
        self._steps(then, None)
        if not isinstance(self._planned[-1].action, SwitchOff):
            self._switch_off()
        self._starting = False
        self._switch_on(self._scenario.steps)

    def _switch_off(self) -> None:
        self._end_boot("the start")
        self._add("switch off", SwitchOff(), self._timeouts.step)

    def _switch_on(self, following: Iterable[Step], span: Span | None = None) -> None:
        self._core_stayed = True
        self._boot += 1
        self._holds.reboot()
        self._following = next(iter(following), None)
        held = self._waits_with_looks()
        self._add("boot", Boot(held), self._timeouts.boot, span)
        self._takes_commands = not held
        self._look_at_boot()

    def _take(self, step: Step) -> None:
        """Follow the step, and make the connections that the catalogue gives a snap just installed."""
        before = self._sequence.core
        self._sequence.apply(step)
        self._core_stayed = self._core_stayed and self._sequence.core == before
        if isinstance(step, Install):
            self._connections.want_of(step.snap)
            self._connect_possible()

    def _connect_possible(self) -> None:
        for title, action in self._connections.possible():
            self._add(title, action, self._timeouts.step)

    def _steps(self, steps: Iterable[Step], after: Step | None) -> None:
        """Steps in order; `after` follows them. A boot that begins with points is looked at after them."""
        for step, self._following in pairwise((*steps, after)):
            if step is None:
                continue
            boot, waits = self._boot, self._look_waits
            self._step(step)
            still = waits and self._look_waits and boot == self._boot
            if still and not isinstance(step, When):
                self._look_at_boot()

    def _step(self, step: Step) -> None:
        self._holds.check(step)
        self._faults.check(step)
        if _needs_commands(step):
            self._await_ready()
        match step:
            case Install(span) | Refresh(span) | Revert(span) | Remove(span):
                title = self._title(step)
                self._add(title, action_of(step, self._refs), self._timeouts.step, span)
                self._take(step)
                self._look(f"after {title}")
            case Connect(span, plug, slot):
                self._take(step)
                title = f"connect {plug} {slot}".strip()
                self._add(title, ConnectPlug(plug, slot), self._timeouts.step, span)
                self._look(f"after {title}")
            case Disconnect(span, plug, slot):
                self._take(step)
                title = f"disconnect {plug} {slot}".strip()
                self._add(title, DisconnectPlug(plug, slot), self._timeouts.step, span)
                self._look(f"after {title}")
            case Reboot():
                self._reboot(step)
            case During():
                self._during(step)
            case HoldStart() | Release():
                self._hold(step)
            case WithFault():
                self._fault(step)
            case When(span, point, within):
                title = f"wait for the point: {show_point(point)}"
                self._add(title, AwaitPoint(point), within or self._timeouts.step, span)
            case Run() | WaitUntil() | WaitUnit() | WaitSettled() | WaitHeld():
                self._stay(step)

    def _await_ready(self) -> None:
        """A reboot with a held unit waits for the witness alone; what needs commands waits for the rest."""
        if not self._takes_commands:
            self._takes_commands = True
            timeout = self._timeouts.boot + self._holds.longest
            self._add("wait until the boot takes commands", AwaitReady(), timeout)

    def _hold(self, step: HoldStart | Release) -> None:
        match step:
            case HoldStart(span):
                self._add(self._holds.title(step), self._holds.hold(step), self._timeouts.command, span)
            case Release(span, unit):
                if (action := self._holds.release(step)) is not None:
                    self._add(f"release {unit}", action, self._timeouts.command, span)

    def _stay(self, step: Run | WaitUntil | WaitUnit | WaitSettled | WaitHeld) -> None:
        """A step that changes nothing that is followed."""
        timeouts = self._timeouts
        match step:
            case Run(span, command):
                self._add(f"run {first_line(command)}", RunCommand(command), timeouts.command, span)
            case WaitUntil(span, command, within):
                title = f"wait until {first_line(command)}"
                self._add(title, AwaitCommand(command), within or timeouts.step, span)
            case WaitUnit(span, unit, state, within):
                self._add(
                    f"wait until {unit} is {state}", AwaitUnit(unit, state), within or timeouts.step, span
                )
            case WaitSettled(span, within):
                self._add("wait until the boot has settled", Settle(), within or timeouts.settle, span)
            case WaitHeld(span, unit, within):
                if (action := self._holds.awaited(step)) is not None:
                    self._add(f"wait until {unit} is held", action, within or timeouts.step, span)

    def _during(self, step: During) -> None:
        self._sequence.check_during(step)
        title = self._title(step.step)
        action = StartChange(action_of(step.step, self._refs))
        self._add(f"begin to {title}", action, self._timeouts.command, step.span)
        self._under_way = True
        with self._numbers.below():
            self._steps((inner for inner in step.do if not isinstance(inner, During)), self._following)
            if not self._starting:
                self._add(f"wait until done: {title}", AwaitChange(), self._timeouts.step)
        self._under_way = False
        self._take(step.step)
        if self._starting:
            return
        if any(ends_boot(inner) for inner in step.do):
            self._core_stayed = True
            self._look_at_boot()
        else:
            self._look(f"after {title}")

    def _fault(self, step: WithFault) -> None:
        title = show_fault(step.fault)
        action = self._faults.begin(step, snapd_is_held=self._holds.holds("snapd.service"))
        self._add(
            title if is_momentary(step.fault) else f"begin: {title}",
            action,
            self._timeouts.command,
            step.span,
        )
        if is_momentary(step.fault):
            return
        with self._numbers.below():
            self._steps(step.do, self._following)
        if self._faults.ends_by_command:
            self._await_ready()
        self._add(f"end: {title}", self._faults.end(), self._timeouts.command)

    def _reboot(self, step: Reboot) -> None:
        if self._starting and self._under_way:
            self._add("switch off as by a reset", SwitchOff(at_once=True), self._timeouts.command, step.span)
            return
        if not self._under_way and not self._look_waits:
            self._end_boot()
        self._holds.reboot()
        self._faults.reboot()
        timeout = self._timeouts.boot + self._holds.longest
        timeout += self._timeouts.step if step.how is RebootHow.CLEAN else 0.0
        held = self._waits_with_looks()
        self._add(f"reboot ({step.how})", RebootGuest(step.how, held), timeout, step.span)
        self._takes_commands = not held
        self._boot += 1
        self._core_stayed = True
        self._look_at_boot()

    def _look_at_boot(self) -> None:
        """The look that a boot is judged by waits for points, and the release of what it began with held."""
        self._look_waits = self._waits_with_looks()
        if not self._look_waits:
            self._look(f"at boot {self._boot}", boot_end=True)

    def _waits_with_looks(self) -> bool:
        return self._holds.await_release or isinstance(self._following, When)

    def _end_boot(self, of: str = "") -> None:
        """A boot that nothing has changed since its settled look needs no other.

        A look that only followed a change of revision is left out before the settled one. After an
        install it stays: restarts of a service that lacked its plugs are counted until then.
        """
        last, before = self._planned[-1], self._planned[-2]
        if isinstance(last.action, Look) and last.action.boot_end:
            return
        if isinstance(last.action, Look) and changes_revision(before.action):
            self._planned.pop()
            self._numbers.back()
        self._look(f"at the end of {of or f'boot {self._boot}'}", boot_end=True)

    def _look(self, reason: str, *, boot_end: bool = False) -> None:
        """No look while a change is under way: whose policy it would show is not settled then.

        In the start there are neither checks nor twins, so that scenarios that start alike differ in nothing.
        """
        if self._under_way or self._faults.frozen:
            return
        self._await_ready()
        judged = boot_end and not self._starting
        checks = checks_for(self._scenario, self._sequence) if judged else ()
        twins = judged and self._twins_are_alike()
        look = Look(reason, self._sequence.core, boot_end, checks, twins)
        title = f"look {reason}" + ", once it has settled" * boot_end + ", with twins" * twins
        timeouts = self._timeouts
        self._add(title, look, timeouts.settle + self._holds.longest if boot_end else timeouts.command)

    def _twins_are_alike(self) -> bool:
        """Twins are wanted, and core has not changed in this boot, nor back again.

        A service that outlives a change of core keeps its old filter, and a twin gets the new one.
        """
        wanted = any(INVARIANTS[hold.invariant].twins for hold in self._scenario.hold)
        return wanted and self._core_stayed


def _needs_commands(step: Step) -> bool:
    match step:
        case Release() | When():
            return False
        case Reboot(how=how):
            return not how.by_host
        case WithFault(fault=fault):
            return needs_commands(fault)
        case _:
            return True
