# SPDX-License-Identifier: GPL-3.0-only
"""The control boots of one core: a plan of what its snapd makes when nobody else has a hand in it.

The snaps are installed as the scenario's start installs them, under the core that it starts with: snapd
2.68.3 asks the store for the snapd snap before it installs another one, and there is no store. Then the
core goes to the one in question, and before each of two reboots its snapd must make the policy of all
services anew. So nothing that any other snapd made for them is left, and the second boot does not merely
load once more what the first one did: two clean reboots alone would, since snapd writes nothing while its
system-key fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from harness.model.plan import (
    Action,
    AwaitCommand,
    Boot,
    ConnectPlug,
    InstallSnap,
    Look,
    Plan,
    PlannedStep,
    RebootGuest,
    RunCommand,
    SnapRef,
    SwitchOff,
)
from harness.model.scenario import MachineOptions, RebootHow

# What is no service's or hook's own stays: the profiles of snap-confine and snap-update-ns, and global.bin.
MAKE_ANEW = """\
set -e
systemctl stop snapd.socket snapd.service
find /var/lib/snapd/seccomp/bpf /var/lib/snapd/apparmor/profiles /var/cache/apparmor \\
    -type f -name 'snap.*' -delete
rm -f /var/lib/snapd/system-key
systemctl start snapd.socket snapd.service
"""
# snapd 2.36.3 and later write it last, and only when all policy was made.
IS_MADE = "test -s /var/lib/snapd/system-key"


@dataclass(frozen=True, slots=True)
class Start:
    """What a plan installs and connects before its first look; `core` is None when there is none."""

    core: SnapRef | None
    snaps: tuple[SnapRef, ...]
    connections: tuple[ConnectPlug, ...]


def start_of(plan: Plan) -> Start:
    """The start of a plan; of one made from a scenario, it begins with a core."""
    refs = [action.ref for action in _start_actions(plan) if isinstance(action, InstallSnap)]
    return Start(
        next((ref for ref in refs if ref.is_core), None),
        tuple(ref for ref in refs if not ref.is_core),
        tuple(action for action in _start_actions(plan) if isinstance(action, ConnectPlug)),
    )


def _start_actions(plan: Plan) -> Iterator[Action]:
    for step in plan.steps:
        if isinstance(step.action, Look):
            return
        yield step.action


def cores_of(plan: Plan) -> tuple[SnapRef, ...]:
    """The cores that a plan uses, in the order of their use."""
    return tuple(ref for ref in plan.snaps if ref.is_core)


def alone(plan: Plan, core: SnapRef) -> Plan:
    """The control boots of `core` with the image, the snaps and the connections of the plan's start."""
    start = start_of(plan)
    services = tuple(f"snap.{ref.snap}." for ref in start.snaps)
    return replace(
        plan,
        scenario=f"fingerprint/{core.entry}",
        summary=f"What the snapd of core {core.entry} makes for {plan.title}, with nobody else's policy left",
        report="",
        variant={},
        snaps=tuple(dict.fromkeys((*([start.core] if start.core else []), core, *start.snaps))),
        services=tuple(tag for tag in plan.services if tag.startswith(services)),
        steps=tuple(_steps(plan, start, core)),
        invariants=(),
        controls=(),
        repeat=None,
        perturbation=None,
        sweep=None,
        machine=MachineOptions(),
    )


def _steps(plan: Plan, start: Start, core: SnapRef) -> Iterator[PlannedStep]:
    for number, (title, action, timeout) in enumerate(_actions(plan, start, core), start=1):
        yield PlannedStep(str(number), title, action, timeout)


def _installations(plan: Plan, start: Start) -> Iterator[tuple[str, Action, float]]:
    """The plan's start, without what it does when all is installed."""
    times, core = plan.timeouts, start.core.entry if start.core else ""
    for step in takewhile(lambda step: not isinstance(step.action, Look), plan.start):
        yield step.title, step.action, step.timeout
    yield "look after the start", Look("after the start", core), times.command
    settled = Look("at the end of the start", core, boot_end=True)
    yield f"look {settled.reason}, once it has settled", settled, times.settle
    yield "switch off", SwitchOff(), times.step


def _actions(plan: Plan, start: Start, core: SnapRef) -> Iterator[tuple[str, Action, float]]:
    times = plan.timeouts
    if plan.start:
        yield from _installations(plan, start)
    yield "boot", Boot(), times.boot
    if core != start.core:
        yield f"refresh core to {core.entry}", InstallSnap(core, refresh=True), times.step
    for boot in (3, 4):
        yield "make all policy anew", RunCommand(MAKE_ANEW), times.step
        yield "wait until all policy is made", AwaitCommand(IS_MADE), times.step
        yield "reboot (clean)", RebootGuest(RebootHow.CLEAN), times.boot + times.step
        look = Look(f"at boot {boot}", core.entry, boot_end=True)
        yield f"look at boot {boot}, once it has settled", look, times.settle
