# SPDX-License-Identifier: GPL-3.0-only
"""A scenario with everything looked up and filled in: what the engine carries out, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.model.fault import Fault
from harness.model.point import Point
from harness.model.repeat import Perturbation, Repeat
from harness.model.scenario import Control, MachineOptions, RebootHow, Timeouts
from harness.model.spans import Span
from harness.model.sweep import CutOf, PlannedSweep

PLAN_FORMAT = 3


@dataclass(frozen=True, slots=True)
class SnapRef:
    """A snap file that the guest will be given.

    `entry` is the catalogue's name (a core's version, or a service snap's name), `variant` a service
    snap's variant, `file_name` the name under which it lies on the payload disk.
    """

    snap: str
    entry: str
    file_name: str
    variant: str = ""
    replica: bool = False

    @property
    def is_core(self) -> bool:
        """True when this is a core, so that `entry` names the snapd inside."""
        return self.snap == "core"


@dataclass(frozen=True, slots=True)
class Boot:
    """Start the machine and wait until the guest says that it is ready; `held` is as in RebootGuest."""

    held: bool = False


@dataclass(frozen=True, slots=True)
class InstallSnap:
    """`snap install --dangerous FILE`; also how a refresh is done without a store."""

    ref: SnapRef
    refresh: bool = False


@dataclass(frozen=True, slots=True)
class RevertSnap:
    """`snap revert SNAP`."""

    snap: str


@dataclass(frozen=True, slots=True)
class RemoveSnap:
    """`snap remove SNAP`."""

    snap: str


@dataclass(frozen=True, slots=True)
class ConnectPlug:
    """`snap connect PLUG [SLOT]`, and a start of `units`, services that lacked it since they were installed.

    They crash-loop until then. Where a crash takes less than two seconds systemd has given them up, and a
    connection starts nothing.
    """

    plug: str
    slot: str = ""
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DisconnectPlug:
    """`snap disconnect PLUG [SLOT]`."""

    plug: str
    slot: str = ""


@dataclass(frozen=True, slots=True)
class RebootGuest:
    """End this boot as `how` says and wait for a boot with another boot id.

    With `held`, in which a unit is held until its release, its witness is enough: that unit may be one
    that commands wait for.
    """

    how: RebootHow
    held: bool = False


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """End the start: the guest switches itself off, and its disk is kept for whatever starts alike.

    With `at_once` it gets no say, as in a reset: the start ends with a change under way.
    """

    at_once: bool = False


@dataclass(frozen=True, slots=True)
class AwaitReady:
    """Wait until a boot whose reboot only waited for the witness takes commands."""


@dataclass(frozen=True, slots=True)
class HoldUnit:
    """Keep `unit` from starting, from its next start on; `number` tells this hold from the run's others.

    It ends `seconds` (nominal) after the unit was to start, when the shell command `until` succeeds, or
    with a ReleaseUnit. The first two are for this boot and the next; the last is for all until then.
    """

    number: int
    unit: str
    seconds: float = 0.0
    until: str = ""

    @property
    def ends_itself(self) -> bool:
        """Whether it needs no ReleaseUnit."""
        return bool(self.seconds or self.until)

    @property
    def service(self) -> str:
        """The service in the guest that the start of the unit waits for."""
        return f"revert-safety-hold-{self.number}.service"


@dataclass(frozen=True, slots=True)
class ReleaseUnit:
    """End a hold."""

    number: int
    unit: str


@dataclass(frozen=True, slots=True)
class AwaitPoint:
    """Wait for a point; not getting there is recorded, not an error.

    What the witness tells of since the step before began counts, of the boot that runs and after the last
    point of it that was reached.
    """

    point: Point


@dataclass(frozen=True, slots=True)
class BeginFault:
    """Make something go wrong; `number` tells this fault from the run's others."""

    number: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class EndFault:
    """Put it right again."""

    number: int


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run a shell command as root in the guest."""

    command: str


@dataclass(frozen=True, slots=True)
class AwaitCommand:
    """Repeat a shell command in the guest until it succeeds."""

    command: str


@dataclass(frozen=True, slots=True)
class AwaitUnit:
    """Wait for a unit's ActiveState."""

    unit: str
    state: str


@dataclass(frozen=True, slots=True)
class Settle:
    """Look once the guest has nothing left to do; not getting there is recorded, not an error."""


@dataclass(frozen=True, slots=True)
class Look:
    """Have the witness read what the guest's kernel holds.

    `expects_core` is the catalogue's name of the core whose snapd the sequence implies at this
    point. `checks` are read through testinfra at the same time. `boot_end` marks the look that an
    end-state invariant judges its boot by; it waits until the guest has nothing left to do, and says
    so when its time passes first. With `twins` each service is started a second time for comparison.
    """

    reason: str
    expects_core: str
    boot_end: bool = False
    checks: tuple[Check, ...] = ()
    twins: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A named reading of the guest's state and its parameters, such as `network-managed` of eth1."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StartChange:
    """Start a change without waiting for it (`--no-wait`)."""

    change: InstallSnap | RevertSnap | RemoveSnap


@dataclass(frozen=True, slots=True)
class AwaitChange:
    """Wait until the change started by `StartChange` is done; nothing to do after a reboot."""


Action = (
    Boot | InstallSnap | RevertSnap | RemoveSnap | ConnectPlug | DisconnectPlug
    | RebootGuest | SwitchOff | AwaitReady | HoldUnit | ReleaseUnit | AwaitPoint | BeginFault | EndFault
    | RunCommand | AwaitCommand | AwaitUnit | Settle | Look | StartChange | AwaitChange
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One numbered action.

    `number` is ``3`` or ``3.2``; `title` is how people are told of it; `span` is the line of the
    scenario it comes from (None when implied); `timeout` is in nominal seconds.
    """

    number: str
    title: str
    action: Action
    timeout: float
    span: Span | None = None


def boots_in(steps: Iterable[PlannedStep]) -> int:
    """How many boots begin in these steps."""
    return sum(isinstance(step.action, Boot | RebootGuest) for step in steps)


@dataclass(frozen=True, slots=True)
class PlannedInvariant:
    """An invariant to judge by, its parameters complete."""

    name: str
    parameters: Mapping[str, tuple[str, ...]]
    span: Span


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run needs to know, printable and serialisable; nothing in it touches a machine.

    With `repeat` it is carried out again and again; `perturbation` makes it one of those repetitions. With
    `sweep` it is recorded and swept over; `cut` makes it the boot after one of the cuts.
    """

    format: int
    scenario: str
    file: str
    summary: str
    report: str
    variant: Mapping[str, str]
    image: str
    snaps: tuple[SnapRef, ...]
    services: tuple[str, ...]
    steps: tuple[PlannedStep, ...]
    invariants: tuple[PlannedInvariant, ...]
    timeouts: Timeouts
    controls: tuple[Control, ...] = ()
    repeat: Repeat | None = None
    perturbation: Perturbation | None = None
    machine: MachineOptions = field(default_factory=MachineOptions)
    sweep: PlannedSweep | None = None
    cut: CutOf | None = None

    @property
    def starts(self) -> tuple[tuple[PlannedStep, ...], ...]:
        """The first steps, until the machine is switched off; each goes on from the one before."""
        ends = (place for place, step in enumerate(self.steps, 1) if isinstance(step.action, SwitchOff))
        return tuple(self.steps[:place] for place in ends)

    @property
    def start(self) -> tuple[PlannedStep, ...]:
        """The steps until the machine is switched off for the last time; none where it never is."""
        return next(reversed(self.starts), ())

    @property
    def boots_before(self) -> int:
        """How many boots the start has; 0 where there is none."""
        return boots_in(self.start)

    @property
    def holds(self) -> tuple[HoldUnit, ...]:
        """The units that are held on the way, in order."""
        return tuple(step.action for step in self.steps if isinstance(step.action, HoldUnit))

    @property
    def points(self) -> tuple[Point, ...]:
        """The points that are waited for on the way, in order."""
        return tuple(step.action.point for step in self.steps if isinstance(step.action, AwaitPoint))

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is made to go wrong on the way, in order."""
        return tuple(step.action.fault for step in self.steps if isinstance(step.action, BeginFault))

    def reboots(self, how: RebootHow) -> bool:
        """Whether a boot is ended in this way."""
        return any(isinstance(s.action, RebootGuest) and s.action.how is how for s in self.steps)

    @property
    def title(self) -> str:
        """The scenario's name with its variant and its repetition or cut, as reports head their page."""
        points = ",".join(f"{key}={value}" for key, value in self.variant.items())
        titled = f"{self.scenario}[{points}]" if points else self.scenario
        titled += f"#{self.perturbation.number}" if self.perturbation else ""
        return f"{titled}{{{self.cut.cut}}}" if self.cut else titled
