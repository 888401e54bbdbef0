# SPDX-License-Identifier: GPL-3.0-only
"""A scenario as its author wrote it: typed, every name still to be looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.model.fault import Fault
from harness.model.point import Point
from harness.model.repeat import Repeat
from harness.model.spans import Span
from harness.model.sweep import Sweep


class RebootHow(StrEnum):
    """How a boot is ended."""

    CLEAN = "clean"  # systemd stops everything and the guest restarts itself
    RESET = "reset"  # the reset button: the guest's kernel gets no say, what the disk was given stays
    KILL = "kill"  # QEMU is killed and started again; what the guest had flushed is there
    POWER_CUT = "power-cut"  # and whatever it had not flushed is lost
    PANIC = "panic"  # the guest's kernel panics, and the host resets it

    @property
    def by_host(self) -> bool:
        """Whether the host ends the boot, so that the guest need not take commands for it."""
        return self is not RebootHow.CLEAN


@dataclass(frozen=True, slots=True)
class Install:
    """Install a snap of the catalogue."""

    span: Span
    snap: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """Bring an installed snap to another revision; for `core` that is a core of the catalogue."""

    span: Span
    snap: str
    to: str


@dataclass(frozen=True, slots=True)
class Revert:
    """`snap revert`: back to the revision that was current before."""

    span: Span
    snap: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a snap."""

    span: Span
    snap: str


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect a plug; `slot` is empty for the system's slot of the same name."""

    span: Span
    plug: str
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Disconnect a plug."""

    span: Span
    plug: str
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Reboot:
    """End this boot and wait for the next."""

    span: Span
    how: RebootHow


@dataclass(frozen=True, slots=True)
class Run:
    """Run a shell command in the guest as root; a status other than 0 ends the run as an error."""

    span: Span
    command: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Wait until a shell command in the guest succeeds."""

    span: Span
    command: str
    within: float | None = None


@dataclass(frozen=True, slots=True)
class WaitUnit:
    """Wait until a unit is in a state of systemd's ActiveState."""

    span: Span
    unit: str
    state: str
    within: float | None = None


@dataclass(frozen=True, slots=True)
class WaitSettled:
    """Wait until the boot has nothing left to do: no jobs, no changes, no service still waiting."""

    span: Span
    within: float | None = None


@dataclass(frozen=True, slots=True)
class WaitHeld:
    """Wait until a unit that was to be held has tried to start, and is kept waiting."""

    span: Span
    unit: str
    within: float | None = None


@dataclass(frozen=True, slots=True)
class HoldStart:
    """Keep a unit from starting, from its next start on.

    Until a Release of it, in every boot until then; or for `seconds`, or until the shell command `until`
    succeeds (at most one of the two), counted from each such start, in this boot and the next.
    """

    span: Span
    unit: str
    seconds: float | None = None
    until: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """Let a unit start that was held."""

    span: Span
    unit: str


@dataclass(frozen=True, slots=True)
class When:
    """Wait for a point; one that is not reached in time makes the run UNPROVEN, and it goes on."""

    span: Span
    point: Point
    within: float | None = None


@dataclass(frozen=True, slots=True)
class WithFault:
    """Carry out `do` with something gone wrong, which is put right afterwards."""

    span: Span
    fault: Fault
    do: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class During:
    """Start `step` without waiting for it, and carry out `do` while it is under way."""

    span: Span
    step: Install | Refresh | Revert | Remove
    do: tuple[Step, ...]


Step = (
    Install
    | Refresh
    | Revert
    | Remove
    | Connect
    | Disconnect
    | Reboot
    | Run
    | WaitUntil
    | WaitUnit
    | WaitSettled
    | WaitHeld
    | HoldStart
    | Release
    | When
    | WithFault
    | During
)


@dataclass(frozen=True, slots=True)
class Hold:
    """An invariant that must hold, with the parameters its author gave; `names`: where each stands."""

    span: Span
    invariant: str
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Control:
    """One thing that a control must come out as: VIOLATED, by this invariant, for these subjects.

    `author` is the catalogue's name of the core whose policy they must be found under; empty when
    the author is not part of the expectation. `evidence` is text that the evidence of each must have.
    `names` says where each name stands in the file.
    """

    span: Span
    invariant: str
    subjects: tuple[str, ...] = ()
    author: str = ""
    finding_class: str = ""
    evidence: str = ""
    names: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Nominal seconds, scaled by the host's measured factor (1 is two cores without KVM).

    They are several times what an idle host takes, because a shared host can lose half of its CPU
    to others without showing it; a guest that is really stuck is named by its console earlier.
    """

    boot: float = 180.0
    step: float = 600.0
    settle: float = 180.0
    command: float = 120.0
    run: float = 3600.0


@dataclass(frozen=True, slots=True)
class Start:
    """What is installed before the first step, and what is done `then`."""

    span: Span
    core: str
    snaps: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    names: Mapping[str, Span] = field(default_factory=dict)
    then: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """How the machine differs from the lab's own from the first step on, not in the start.

    `cpus` and `memory_mib` are 0 where they stay what they are. `clock_back` is by how many seconds its
    real-time clock is behind where the start left it.
    """

    cpus: int = 0
    memory_mib: int = 0
    clock_back: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario file, for one point of its matrix (`variant`)."""

    file: str
    name: str
    summary: str
    span: Span
    image: str
    image_span: Span
    start: Start
    steps: tuple[Step, ...]
    hold: tuple[Hold, ...]
    report: str = ""
    variant: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts = field(default_factory=Timeouts)
    controls: tuple[Control, ...] = ()
    repeat: Repeat | None = None
    machine: MachineOptions = field(default_factory=MachineOptions)
    sweep: Sweep | None = None
