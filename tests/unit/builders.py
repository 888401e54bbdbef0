# SPDX-License-Identifier: GPL-3.0-only
"""Looks, timelines and records of a guest of paper, and the runs that the tests begin from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.model import codec
from harness.model.clock import HostTime, WallTime
from harness.model.event import (
    RECORD_FORMAT,
    ArtifactUsed,
    CheckRead,
    Event,
    LookTaken,
    Recorded,
    RunClosed,
    RunFailed,
    RunOpened,
)
from harness.model.observation import Look, ServiceSeen
from harness.model.occurrence import Occurrence
from harness.model.plan import (
    PLAN_FORMAT,
    Check,
    Plan,
    PlannedInvariant,
    RunCommand,
    SnapRef,
)
from harness.model.plan import Look as LookStep
from harness.model.scenario import Control, RebootHow, Timeouts
from harness.model.spans import Span
from harness.model.timeline import BootRecord, ConsoleLine, SeenLook, SeenOccurrence, Timeline
from harness.model.wire import Heard, Looked, Occurred
from harness.record_writing import Recorder, plan_sha256
from tests.unit.paper_core import NEW, NEW_TEXT, NEWER, OLD, TEXT, Core, digest
from tests.unit.paper_guest import BLUEZ, NETWORK, TAGS, PaperGuest, unit

SPAN = Span("scenario.yaml", 1, 1)
POLICY = "policy-from-running-snapd"
PER_LINE = 5


@dataclass(slots=True)
class Guest(PaperGuest):
    """A guest that is looked at, and the plan that this makes."""

    invariants: tuple[PlannedInvariant, ...] = (PlannedInvariant(POLICY, {"services": ()}, SPAN),)
    control: Control | None = None
    looks: list[tuple[int, Look]] = field(default_factory=list)

    def look(self, *, boot_end: bool = True, core: Core | None = None, **changes: Any) -> Guest:
        """A planned look; `changes` are put into it."""
        self.tick(3)
        expects = (core or self.core).name
        reason = f"at the end of boot {self.boot}" if boot_end else "after a step"
        read = Check("network-managed", {"interface": "eth1"}), Check("bluetooth-managed", {})
        number = self._step(f"look {reason}", LookStep(reason, expects, boot_end, read if boot_end else ()))
        seen = len([boot for boot, _ in self.looks if boot == self.boot]) + 1
        look = Look(
            boot_id=f"boot-{self.boot}",
            number=seen,
            reason=reason,
            at=self.now,
            boot_wall=WallTime(self.boot_wall),
            unsettled=(),
            snapd=self.snapd,
            snapd_unit=unit("snapd.service", main_pid=self.snapd.pid if self.snapd else 500),
            system_key=self.key,
            files=tuple(self.files.values()),
            profiles=tuple(map(self.profile, self.kernel)),
            services=tuple(
                ServiceSeen(
                    tag=tag,
                    unit=self.units.get(tag, unit(f"{tag}.service", "inactive", "dead")),
                    processes=self.processes.get(tag, ()),
                )
                for tag in self.tags
            ),
        )
        self.looks.append((self.boot, replace(look, **changes)))
        self.events.append(LookTaken(number, self.boot, seen, expects, boot_end))
        return self

    def check(
        self, name: str, passed: bool | None, parameters: Mapping[str, str], seen: str = "said"
    ) -> Guest:
        """A check read at the latest step."""
        self.events.append(CheckRead(self.steps[-1].number, self.boot, name, parameters, passed, seen))
        return self

    def run(self, command: str) -> Guest:
        self._step(f"run {command}", RunCommand(command))
        return self

    def fail(self, message: str) -> Guest:
        self.events.append(RunFailed(self.steps[-1].number, "TimedOut", message))
        return self

    # -- what is left of it

    def plan(self) -> Plan:
        return Plan(
            format=PLAN_FORMAT,
            scenario="core-revert/paper",
            file="scenario.yaml",
            summary="a revert on paper",
            report="",
            variant={},
            image="trixie",
            snaps=(SnapRef("core", OLD.name, "core.snap"),),
            services=self.tags,
            steps=tuple(self.steps),
            invariants=self.invariants,
            timeouts=Timeouts(),
            controls=(self.control,) if self.control else (),
        )

    def all_events(self) -> list[Event]:
        opened = RunOpened(RECORD_FORMAT, "0.1.0", plan_sha256(self.plan()), {"cores": "2"})
        closed = RunClosed(not any(isinstance(event, RunFailed) for event in self.events))
        return [opened, *(core.artifact for core in (OLD, NEW, NEWER, TEXT, NEW_TEXT)), *self.events, closed]

    def record(self, directory: Path) -> Path:
        """Write the record of it all, as a run does."""
        ticks = iter(range(10_000))
        with Recorder(directory, lambda: HostTime(next(ticks))) as recorder:
            recorder.write_plan(self.plan())
            lines = list(self.lines())
            for boot, look in self.looks:
                occurred = sum(of == boot and those[-1].at <= look.at for of, _, those in lines)
                recorder.hear(Heard(HostTime(0), boot, codec.dumps(Looked(1, look, occurred))))
            for boot, number, those in lines:
                said = codec.dumps(Occurred(f"boot-{boot}", number, tuple(those)))
                recorder.hear(Heard(HostTime(0), boot, said))
            for event in self.all_events():
                recorder.write(event)
        (directory / "console.log").write_bytes(self.console)
        return directory

    def lines(self) -> Iterator[tuple[int, int, list[Occurrence]]]:
        """The lines of what happened: boot, number in it, and a few occurrences."""
        for boot in range(1, self.boot + 1):
            told = [one for number, one in self.stream.told if number == boot]
            for number, start in enumerate(range(0, len(told), PER_LINE), start=1):
                yield boot, number, told[start : start + PER_LINE]

    def timeline(self) -> Timeline:
        """The same without a directory."""
        events = tuple(Recorded(n, HostTime(n - 1), e) for n, e in enumerate(self.all_events(), start=1))
        artifacts = tuple(e.event for e in events if isinstance(e.event, ArtifactUsed))
        boots = tuple(self._boot_record(number, events) for number in range(1, self.boot + 1))
        failure = next((e.event for e in events if isinstance(e.event, RunFailed)), None)
        gaps = () if failure is None else ("events.jsonl does not end with the line that closes a whole run",)
        return Timeline(self.plan(), boots, artifacts, events, gaps, failure)

    def _boot_record(self, number: int, events: tuple[Recorded, ...]) -> BootRecord:
        taken = [e.event for e in events if isinstance(e.event, LookTaken) and e.event.boot == number]
        of_boot = [(line, look) for line, (boot, look) in enumerate(self.looks, start=1) if boot == number]
        text = [line for line in self.console.decode().split("\r\n") if line]
        begins = [i for i, line in enumerate(text, start=1) if "Linux version" in line] + [len(text) + 1]
        lines = range(begins[number - 1], begins[number])
        return BootRecord(
            number=number,
            boot_id=f"boot-{number}",
            cause="the machine was started",
            ended="guest-reset" if number < self.boot else "",
            looks=tuple(SeenLook(line, look, t) for (line, look), t in zip(of_boot, taken, strict=True)),
            checks=tuple(
                (e.line, e.event) for e in events if isinstance(e.event, CheckRead) and e.event.boot == number
            ),
            console=tuple(ConsoleLine(line, text[line - 1]) for line in lines),
            occurrences=tuple(self._occurrences(number)),
        )

    def _occurrences(self, number: int) -> list[SeenOccurrence]:
        found = [
            SeenOccurrence(line, one)
            for line, (boot, _, those) in enumerate(self.lines(), start=len(self.looks) + 1)
            if boot == number
            for one in those
        ]
        return sorted(found, key=lambda seen: seen.occurrence.at)


def begun(**more: object) -> Guest:
    """Boot 1: the old core is installed, services run under its policy; then a clean boot of it."""
    guest = Guest(**more).power_on().install(OLD).start_services().look()  # type: ignore[arg-type]
    return guest.reboot().start_snapd().start_services().look()


def fresh_revert(**more: object) -> Guest:
    """The main job: old, new, and old again, with a look and a clean reboot after each change."""
    guest = begun(**more).install(NEW).look(boot_end=False)
    guest.reboot().start_snapd().start_services().look()
    guest.revert(OLD).look(boot_end=False)
    return guest.reboot().start_snapd().start_services().look()


def key_put_back(**more: object) -> Guest:
    """The control: the older key is put back before the reset, so nobody waits and nobody regenerates."""
    guest = begun(**more).install(NEW).look(boot_end=False)
    guest.reboot().start_snapd().start_services().look()
    guest.revert(OLD, start=False).put_key(OLD)
    return guest.reboot(RebootHow.RESET).start_services().start_snapd().look()


def stale_seccomp(**more: object) -> Guest:
    """Two builds that read the same file; services start before the older snapd, which regenerates late."""
    guest = Guest(**more, core=NEW).power_on().install(NEW).start_services().look()  # type: ignore[arg-type]
    guest.install(NEWER).look(boot_end=False)
    guest.reboot().start_snapd().start_services().look()
    guest.revert(NEW, start=False)
    return guest.reboot(RebootHow.RESET).start_services().start_snapd().look()


__all__ = [
    "BLUEZ",
    "NETWORK",
    "NEW",
    "NEWER",
    "NEW_TEXT",
    "OLD",
    "TAGS",
    "TEXT",
    "Core",
    "Guest",
    "digest",
    "unit",
]
