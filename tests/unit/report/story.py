# SPDX-License-Identifier: GPL-3.0-only
"""A guest of paper whose witness tells what happens as it happens, and the run that the page is for.

The run goes 2.68.3, 2.77.1 and back. In its last boot both services start before snapd, under policy of
2.77.1; BlueZ is killed by its filter and starts again once snapd has made its own policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.judge import judge
from harness.model.clock import SECOND, GuestTime, HostTime
from harness.model.event import (
    BootBegan,
    CommandRan,
    Event,
    MachineSaid,
    MachineStarted,
    MemoryRead,
    Recorded,
    StepBegan,
    StepEnded,
)
from harness.model.observation import LoadedProfile, PolicyKind
from harness.model.occurrence import (
    Executed,
    FileChange,
    FileChanged,
    Occurrence,
    ProfileChange,
    ProfileChanged,
    Source,
    Started,
    UnitChanged,
    Watching,
)
from harness.model.plan import Action, Plan, SnapRef
from harness.model.scenario import RebootHow
from harness.model.timeline import SeenOccurrence, Timeline
from harness.model.verdict import Evidence, Finding, Outcome, Verdict, worst
from tests.unit.builders import BLUEZ, NETWORK, NEW, NEWER, POLICY, Core, Guest, digest, unit

LAUNCHER = "/usr/bin/snap"
LINES_BEFORE = 100
"""The first occurrence's line of witness.jsonl; looks have smaller ones."""


@dataclass(slots=True)
class Story(Guest):
    """A guest with a witness that streams; `stamps` are the wall times of `events`."""

    told: list[tuple[int, Occurrence]] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)

    def tell(self, occurrence: Occurrence) -> None:
        self.told.append((self.boot, occurrence))

    def stamp(self) -> None:
        """Give the events since the last call this moment's time."""
        for event in self.events[len(self.stamps) :]:
            self.stamps.append(self.boot_wall if isinstance(event, BootBegan) else self.wall)

    def _step(self, title: str, action: Action) -> str:
        self.stamp()
        number = Guest._step(self, title, action)
        self.stamp()
        return number

    def look(self, *, boot_end: bool = True, core: Core | None = None, **changes: Any) -> Story:
        Guest.look(self, boot_end=boot_end, core=core, **changes)
        self.stamp()
        return self

    # -- what a guest does, told

    def power_on(self, how: RebootHow | None = None) -> Story:
        self.stamp()
        if self.boot:
            self.events.append(MachineSaid("RESET", {"guest": "True", "reason": "guest-reset"}))
        Guest.power_on(self, how)
        self.stamp()
        for source in Source:
            self.told.insert(
                0, (self.boot, Watching(at=GuestTime(SECOND), source=source, since=GuestTime(0)))
            )
        return self

    def start_snapd(self) -> Story:
        self.stamp()
        exe = f"/snap/core/{self.core.name}/usr/lib/snapd/snapd"
        self.tell(Executed(at=GuestTime(self.now + 8 * SECOND), pid=500, exe=exe, build_id=self.core.build))
        Guest.start_snapd(self)
        self.tick(1)
        self.tell(UnitChanged(at=self.now, unit=unit("snapd.service", main_pid=500)))
        return self

    def stop_snapd(self) -> Story:
        self.tell(UnitChanged(at=self.now, unit=unit("snapd.service", "inactive", "dead")))
        return self

    def write(
        self, kind: PolicyKind, name: str, content: str, parts: Mapping[str, str] | None = None
    ) -> bool:
        changed = Guest.write(self, kind, name, content, parts)
        if changed:
            file = self.files[kind, name]
            self.tell(
                FileChanged(
                    at=self.now,
                    change=FileChange.WRITTEN,
                    path=file.path,
                    pid=500 if kind != PolicyKind.APPARMOR_CACHE else 90,
                    kind=kind,
                    name=name,
                    sha256=content,
                    parts=parts or {},
                )
            )
        return changed

    def load_profile(self, tag: str) -> None:
        Guest.load_profile(self, tag)
        self.tick(0.05)
        self.tell(
            ProfileChanged(
                at=self.now,
                change=ProfileChange.LOAD,
                name=tag,
                pid=90,
                comm="apparmor_parser",
                profile=self.loaded(tag),
            )
        )

    def loaded(self, tag: str) -> LoadedProfile:
        raw = self.kernel[tag]
        return LoadedProfile(name=tag, mode="enforce", raw_sha256=raw, sha256=digest("k", raw))

    def launch(self, tag: str, pid: int) -> Story:
        """The unit's process is `snap run`."""
        unit_name = f"{tag}.service"
        self.tell(
            Executed(at=self.now, pid=pid, exe=LAUNCHER, ppid=1, argv=("snap", "run", tag), unit=unit_name)
        )
        return self

    def execute(self, tag: str, pid: int) -> Story:
        """The launcher executes the service under the policy that is there."""
        self.tick(0.5)
        main = self.process(tag, pid, main=True)
        self.processes[tag] = (main,)
        self.units[tag] = unit(f"{tag}.service", main_pid=pid)
        self.tell(
            Started(
                at=self.now,
                read_at=GuestTime(self.now + SECOND // 50),
                tag=tag,
                pid=pid,
                exe=main.exe,
                process=main,
                profile=self.loaded(tag),
            )
        )
        self.tell(UnitChanged(at=self.now, unit=self.units[tag]))
        return self

    def start_services(self) -> Story:
        for number, tag in enumerate(self.tags):
            self.launch(tag, 1000 + 10 * number)
            self.tick(0.7)
            self.execute(tag, 1000 + 10 * number)
        return self

    def kill(self, tag: str) -> Story:
        """The service's filter kills it, and systemd will start it again."""
        self.tick(1.5)
        died = unit(f"{tag}.service", "activating", "auto-restart", result="signal", restarts=1)
        self.tell(UnitChanged(at=self.now, unit=died))
        return self

    # -- what is left of it

    def plan(self) -> Plan:
        return replace(
            Guest.plan(self),
            scenario="core-revert/2.68.3-2.77.1-2.68.3",
            summary="2.68.3 is refreshed to 2.77.1 and reverted; the last boot's services do not wait",
            report="https://forum.snapcraft.io/t/722",
            snaps=(SnapRef("core", NEW.name, "new.snap"), SnapRef("core", NEWER.name, "newer.snap")),
        )

    def timeline(self) -> Timeline:
        self.stamp()
        plain = Guest.timeline(self)
        events = tuple(self._timed(plain))
        boots = tuple(replace(boot, occurrences=tuple(self._of_boot(boot.number))) for boot in plain.boots)
        return replace(plain, events=events, boots=boots)

    def _of_boot(self, number: int) -> Iterator[SeenOccurrence]:
        numbered = enumerate(self.told, start=LINES_BEFORE)
        seen = [SeenOccurrence(line, told) for line, (boot, told) in numbered if boot == number]
        yield from sorted(seen, key=lambda one: one.occurrence.at)

    def _timed(self, plain: Timeline) -> Iterator[Recorded]:
        """The events at their times, a step ending when the next one begins."""
        before = len(plain.events) - len(self.events) - 1
        stamps = [self.stamps[0]] * before + self.stamps + [self.wall]
        timed = list(zip(stamps, (recorded.event for recorded in plain.events), strict=True))
        ends: list[tuple[int, Event]] = []
        began = 0
        waiting: StepEnded | None = None
        for at, event in timed:
            if waiting and (isinstance(event, StepBegan) or event is timed[-1][1]):
                ends.append((at, replace(waiting, seconds=(at - began) / SECOND)))
                waiting = None
            if isinstance(event, StepBegan):
                began = at
            if isinstance(event, StepEnded):
                waiting = event
            else:
                ends.append((at, event))
        first = self.stamps[0] - 2 * SECOND
        return (Recorded(line, HostTime(at - first), event) for line, (at, event) in enumerate(ends, start=1))


def stale_start() -> Story:
    """The run of this module's first lines."""
    story = Story(core=NEW)
    story.events.append(MachineStarted("QEMU emulator version 10.0", "tcg", "Nehalem", 2.05, "no /dev/kvm"))
    story.power_on().install(NEW)
    story.start_services().look()
    story.install(NEWER).look(boot_end=False)
    story.reboot().start_snapd().start_services().look()
    story.revert(NEW, start=False)
    story.run("systemctl mask --now --runtime snapd.service snapd.socket").tick(4)
    story.events.append(CommandRan(story.steps[-1].number, "systemctl", 0, "Created symlink\n", 2.5))
    story.power_on(RebootHow.RESET)
    story.start_services()
    story.kill(BLUEZ)
    story.launch(BLUEZ, 1100)
    story.start_snapd()
    story.say("[    8.900000] audit: type=1326 comm=bluetoothd sig=31 syscall=435")
    story.say("[    8.950000] bluetoothd[1000]: segfault at 0 ip 00007f1b rsp 00007ffd error 4")
    story.tick(1)
    story.execute(BLUEZ, 1100)
    story.tick(6)
    story.look()
    story.check("network-managed", False, {"interface": "eth1"}, "eth1: unmanaged, state 10")
    story.events.append(MemoryRead(900_000, 1_200_000, 50_000, 60_000))
    return story


def judged(timeline: Timeline) -> Verdict:
    """The verdict, with a finding on each start under the newer snapd's policy in the last boot."""
    verdict = judge(timeline)
    boot = timeline.boots[-1]
    wrong = [
        (seen.line, seen.occurrence)
        for seen in boot.occurrences
        if isinstance(seen.occurrence, Started) and seen.occurrence.pid in (1000, 1010)
    ]
    found = tuple(_stale(boot.number, line, started) for line, started in wrong)
    findings = (*verdict.findings, *found)
    return replace(verdict, findings=findings, outcome=worst(finding.outcome for finding in findings))


def _stale(boot: int, line: int, started: Started) -> Finding:
    says = f"{started.tag}: process {started.pid} executed {started.exe} at {started.at / SECOND:.3f} s"
    return Finding(
        invariant=POLICY,
        outcome=Outcome.VIOLATED,
        kind="stale",
        subject=started.tag,
        boot=boot,
        summary=f"{started.tag} started under stale policy, before snapd {NEW.name} ran",
        author=NEWER.name,
        evidence=(Evidence("witness.jsonl", line, says),),
    )


__all__ = ["BLUEZ", "NETWORK", "Story", "judged", "stale_start"]
