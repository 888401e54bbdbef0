# SPDX-License-Identifier: GPL-3.0-only
"""What the witness in the guest says, line by line, over virtio-serial (probe/WIRE.md is the contract)."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.clock import GuestTime, HostTime
from harness.model.observation import Look
from harness.model.occurrence import Occurrence

WITNESS_PORT = "org.revert-safety.witness"
LONGEST_LINE = 8 << 20


@dataclass(frozen=True, slots=True)
class Hello:
    """The witness started: in which boot, with which code, at which guest time."""

    boot_id: str
    agent_sha256: str
    at: GuestTime
    kernel: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The guest accepts ssh connections from now on."""

    boot_id: str
    at: GuestTime


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer to a request for a look; before it came `occurred` lines of what happened in this boot."""

    request: int
    look: Look
    occurred: int = 0


@dataclass(frozen=True, slots=True)
class Occurred:
    """What happened since the last such line; `number` counts these lines of a boot, from 1."""

    boot_id: str
    number: int
    occurrences: tuple[Occurrence, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """The witness could not do something; `request` is 0 when nobody asked for it."""

    request: int
    message: str


@dataclass(frozen=True, slots=True)
class Released:
    """The answer to a request for a release."""

    request: int


Said = Hello | Ready | Looked | Occurred | Trouble | Released


@dataclass(frozen=True, slots=True)
class LookRequest:
    """Ask for a look. The witness first waits up to `settle` seconds for the guest to be settled.

    With `twins` it then starts a twin of each snap service.
    """

    request: int
    reason: str
    settle: float
    twins: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """Ask for the end of the hold of this number; a unit that was not to start yet will not have to wait."""

    request: int
    hold: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A line of witness.jsonl: the guest's own bytes (as text), when and in which boot they came."""

    at: HostTime
    boot: int
    said: str
