# SPDX-License-Identifier: GPL-3.0-only
"""What the engine did and what happened to the machine: the lines of events.jsonl.

These types are the border between a run and everything that reads one; adding a field needs a default,
changing one needs a new `RECORD_FORMAT`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model.clock import HostTime
from harness.model.fingerprint import Fingerprint

RECORD_FORMAT = 1


@dataclass(frozen=True, slots=True)
class RunOpened:
    """The first line of every record."""

    format: int
    harness: str
    plan_sha256: str
    host: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArtifactUsed:
    """Bytes that went into the run: role `image`, `kernel`, `initrd`, `payload` or `snap`.

    `build_ids` maps the file names of a core's executables (snapd, snap-seccomp, …) to build ids.
    """

    role: str
    name: str
    sha256: str
    build_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FingerprintUsed:
    """The fingerprint catalogue had an entry for a core of the run, under `key`."""

    key: str
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class StartRepeated:
    """The run's start was there already, under `key`: what follows, until it ends, was recorded then.

    `made` is what the guest's clock showed at its end (UTC, ISO 8601). The machine goes on from the disk that
    it left. The run's first `boots` are of it; where none are told, all boots of the plan's start.
    """

    key: str
    made: str
    boots: int = 0


@dataclass(frozen=True, slots=True)
class MachineStarted:
    """QEMU runs: its version, accelerator and CPU model, and why that accelerator."""

    qemu: str
    accelerator: str
    cpu_model: str
    host_factor: float
    why: str


@dataclass(frozen=True, slots=True)
class BootBegan:
    """A boot began; `console_offset` is the size of console.log in bytes at that moment."""

    boot: int
    console_offset: int
    cause: str


@dataclass(frozen=True, slots=True)
class BootReady:
    """The guest said that commands can be run, and gave its boot id."""

    boot: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class BootEnded:
    """A boot ended; `how` is what the machine itself said (QMP), not what was asked for."""

    boot: int
    how: str


@dataclass(frozen=True, slots=True)
class StepBegan:
    """A planned step began."""

    number: str
    title: str


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A planned step ended; `detail` is one line for people (a change's id, a command's output)."""

    number: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StepRecorded:
    """What a step that is swept over wrote: of the log of writes, entries `since` and later, before `until`.

    What it left to be flushed later is not among them. `clock` is what the machine's real-time clock
    showed when the step had ended (UTC, YYYY-MM-DDTHH:MM:SS).
    """

    number: str
    since: int
    until: int
    clock: str


@dataclass(frozen=True, slots=True)
class CommandRan:
    """A command was run in the guest; output is cut to what fits a report."""

    number: str
    command: str
    status: int
    output: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckRead:
    """A check was read through testinfra: `passed` is None when it could not be read."""

    number: str
    boot: int
    check: str
    parameters: Mapping[str, str]
    passed: bool | None
    seen: str


@dataclass(frozen=True, slots=True)
class LookTaken:
    """A planned look reached the host; `look` is the number the guest gave it."""

    number: str
    boot: int
    look: int
    expects_core: str
    boot_end: bool


@dataclass(frozen=True, slots=True)
class PointPassed:
    """The wait for a point ended: it was `reached` in this boot, or its time had passed."""

    number: str
    boot: int
    reached: bool


@dataclass(frozen=True, slots=True)
class FaultEnded:
    """What had gone wrong was put right in step `number`; it had struck so often (None: not counted)."""

    number: str
    boot: int
    struck: int | None


@dataclass(frozen=True, slots=True)
class MemoryRead:
    """Resident memory in KiB, now and at its highest."""

    qemu: int
    qemu_peak: int
    harness: int
    harness_peak: int


@dataclass(frozen=True, slots=True)
class MachineSaid:
    """A QMP event as QEMU sent it."""

    event: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunFailed:
    """The run could not be carried out further: the step, the kind of error, and its words."""

    number: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class RunClosed:
    """The last line of a record that is whole."""

    complete: bool


Event = (
    RunOpened
    | ArtifactUsed
    | FingerprintUsed
    | StartRepeated
    | MachineStarted
    | BootBegan
    | BootReady
    | BootEnded
    | StepBegan
    | StepEnded
    | StepRecorded
    | CommandRan
    | CheckRead
    | LookTaken
    | PointPassed
    | FaultEnded
    | MemoryRead
    | MachineSaid
    | RunFailed
    | RunClosed
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the record: `line` of events.jsonl counts from 1."""

    line: int
    at: HostTime
    event: Event
