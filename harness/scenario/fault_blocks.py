# SPDX-License-Identifier: GPL-3.0-only
"""What has gone wrong at each point of a scenario, and what cannot go wrong or be done there."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.fault import (
    SNAPD,
    Dying,
    Failing,
    Fault,
    Frozen,
    IoErrors,
    Killed,
    LinkDown,
    Slow,
    SlowDisk,
)
from harness.model.plan import BeginFault, EndFault
from harness.model.scenario import (
    Connect,
    Disconnect,
    During,
    Install,
    Refresh,
    Remove,
    Revert,
    Step,
    WithFault,
)
from harness.model.spans import Span
from harness.scenario.faults import is_momentary, show_fault
from harness.scenario.sequence import ends_boot
from harness.scenario.source import Problems

_OF_PROGRAMS = Slow | Failing | Dying
_CHANGES = Install | Refresh | Revert | Remove | Connect | Disconnect


@dataclass(slots=True)
class _Active:
    action: BeginFault
    span: Span
    over: bool = False


class FaultBlocks:
    """Follows faults; what cannot be is noted as a mistake."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._active: list[_Active] = []
        self._count = 0

    def begin(self, step: WithFault, *, snapd_is_held: bool) -> BeginFault:
        """Begin a fault."""
        self._check_block(step)
        for other in self._active:
            if not other.over and _contradict(other.action.fault, step.fault):
                already = show_fault(other.action.fault)
                message = f"{show_fault(step.fault)}: there is {already} here already, since {other.span}"
                self._problems.add(step.span, message, hint="end that block before")
        if snapd_is_held and _is_of_snapd(step.fault):
            message = f"{show_fault(step.fault)}: snapd is held here, so it does not run"
            self._problems.add(step.span, message, hint="write 'release: snapd.service' before")
        self._count += 1
        action = BeginFault(self._count, step.fault)
        if not is_momentary(step.fault):
            self._active.append(_Active(action, step.span))
        return action

    def end(self) -> EndFault:
        """End the fault that began last."""
        return EndFault(self._active.pop().action.number)

    def reboot(self) -> None:
        """The next boot begins: what was done to processes is over."""
        for active in self._active:
            active.over = active.over or ends_with_boot(active.action.fault)

    @property
    def frozen(self) -> bool:
        """Whether snapd is stopped, so that the guest cannot settle."""
        return any(isinstance(each.action.fault, Frozen) and not each.over for each in self._active)

    @property
    def ends_by_command(self) -> bool:
        """Whether the fault that began last is put right by a command in the guest."""
        last = self._active[-1]
        return needs_commands(last.action.fault) and not last.over

    def check(self, step: Step) -> None:
        """Note what cannot be done because snapd is stopped."""
        change = step.step if isinstance(step, During) else step
        if not self.frozen or not isinstance(change, _CHANGES):
            return
        if isinstance(step, During) and any(ends_boot(inner) for inner in step.do):
            return
        message = "snapd is frozen here, so this change would never be done"
        self._problems.add(step.span, message, hint="put it after the block, or end its boot by a 'reboot'")

    def _check_block(self, step: WithFault) -> None:
        title = show_fault(step.fault)
        if is_momentary(step.fault) and step.do:
            message = f"{title}: that is over at once, so nothing is done meanwhile"
            self._problems.add(step.span, message, hint="leave 'do' out, and put its steps after this one")
        if not is_momentary(step.fault) and not step.do:
            message = f"{title}: nothing is said to be done meanwhile"
            self._problems.add(step.span, message, expected="'do' with at least one step")


def needs_commands(fault: Fault) -> bool:
    """Whether it is done in the guest, not to the machine."""
    return not isinstance(fault, SlowDisk | IoErrors | LinkDown)


def ends_with_boot(fault: Fault) -> bool:
    """Whether a reboot leaves nothing of it. A late snapd is late in every boot of the block."""
    match fault:
        case Frozen() | Failing() | Dying():
            return True
        case Slow(program):
            return program != SNAPD
        case _:
            return False


def _contradict(one: Fault, other: Fault) -> bool:
    """Whether two faults cannot be had at the same time."""
    if isinstance(one, Frozen) and _is_of_snapd(other):
        return True
    if isinstance(one, _OF_PROGRAMS) and isinstance(other, _OF_PROGRAMS):
        return one.program == other.program
    return type(one) is type(other)


def _is_of_snapd(fault: Fault) -> bool:
    return isinstance(fault, Frozen | Killed) or (isinstance(fault, Slow) and fault.program == SNAPD)
