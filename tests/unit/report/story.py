# SPDX-License-Identifier: GPL-3.0-only
"""A guest of paper whose witness tells what happens as it happens, and the run that the page is for.

The run goes 2.68.3, 2.77.1 and back. In its last boot both services start before snapd, under policy of
2.77.1; BlueZ is killed by its filter and starts again once snapd has made its own policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from harness.model.clock import SECOND, GuestTime, HostTime
from harness.model.event import (
    BootBegan,
    CommandRan,
    Event,
    MachineSaid,
    MachineStarted,
    MemoryRead,
    Recorded,
    RunClosed,
    StepBegan,
    StepEnded,
)
from harness.model.observation import (
    FilterSeen,
    LoadedProfile,
    PolicyFile,
    PolicyKind,
    ProcessSeen,
    SnapdSeen,
)
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
from harness.model.plan import Plan, SnapRef
from harness.model.scenario import RebootHow
from harness.model.timeline import SeenOccurrence, Timeline
from harness.model.verdict import VERDICT_FORMAT, Evidence, Finding, Outcome, Verdict, worst
from tests.unit.builders import BLUEZ, NEW, NEWER, POLICY, Guest, digest, unit

LAUNCHER = "/usr/bin/snap"
PARSER, RESTARTED = 90, 1100
LINES_BEFORE = 100
"""The first occurrence's line of witness.jsonl; looks have smaller ones."""


@dataclass(slots=True)
class Story:
    """A guest that is watched from outside: what changed while something was done to it is told.

    `stamps` are the wall times of the guest's events.
    """

    guest: Guest
    told: list[tuple[int, Occurrence]] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)

    def tell(self, *occurrences: Occurrence) -> None:
        self.told += [(self.guest.boot, one) for one in occurrences]

    def stamp(self, began: int) -> None:
        """Give the events since the last call their times; `began` is when the step did."""
        for event in self.guest.events[len(self.stamps) :]:
            match event:
                case StepBegan():
                    self.stamps.append(began)
                case BootBegan():
                    self.stamps.append(self.guest.boot_wall)
                case _:
                    self.stamps.append(self.guest.wall)

    def do(self, action: Callable[[Guest], object]) -> Story:
        """Do something to the guest, and tell what it changed."""
        began, files, kernel, snapd = (
            self.guest.wall,
            dict(self.guest.files),
            self.guest.kernel,
            self.guest.snapd,
        )
        before = dict(kernel)
        action(self.guest)
        if self.guest.kernel is not kernel:
            before = {}
        self.stamp(began)
        self._tell_files([file for key, file in self.guest.files.items() if files.get(key) != file])
        self._tell_profiles([tag for tag, raw in self.guest.kernel.items() if before.get(tag) != raw])
        if self.guest.snapd and self.guest.snapd is not snapd:
            self._tell_snapd(self.guest.snapd)
        return self

    def _tell_files(self, files: Iterable[PolicyFile]) -> None:
        for file in files:
            self.tell(
                FileChanged(
                    at=GuestTime(file.changed - self.guest.boot_wall),
                    change=FileChange.WRITTEN,
                    path=file.path,
                    pid=self._writer(file),
                    kind=file.kind,
                    name=file.name,
                    sha256=file.sha256,
                    parts=file.parts,
                )
            )

    def _writer(self, file: PolicyFile) -> int:
        snapd = self.guest.snapd
        return PARSER if file.kind == PolicyKind.APPARMOR_CACHE or snapd is None else snapd.pid

    def _tell_profiles(self, tags: Iterable[str]) -> None:
        for tag in tags:
            self.guest.tick(0.05)
            self.tell(
                ProfileChanged(
                    at=self.guest.now,
                    change=ProfileChange.LOAD,
                    name=tag,
                    pid=PARSER,
                    comm="apparmor_parser",
                    profile=self.loaded(tag),
                )
            )

    def _tell_snapd(self, snapd: SnapdSeen) -> None:
        self.guest.tick(1)
        self.tell(
            Executed(at=snapd.started, pid=snapd.pid, exe=snapd.exe, build_id=snapd.build_id),
            UnitChanged(at=self.guest.now, unit=unit("snapd.service", main_pid=snapd.pid)),
        )

    def loaded(self, tag: str) -> LoadedProfile:
        raw = self.guest.kernel[tag]
        return LoadedProfile(name=tag, mode="enforce", raw_sha256=raw, sha256=digest("k", raw))

    def boot(self, how: RebootHow | None = None) -> Story:
        if how:
            self.guest.events.append(MachineSaid("RESET", {"guest": "True", "reason": "guest-reset"}))
        self.do(lambda guest: guest.power_on(how))
        self.tell(*(Watching(at=GuestTime(SECOND), source=one, since=GuestTime(0)) for one in Source))
        return self

    # -- services

    def launch(self, tag: str, pid: int) -> Story:
        """The unit's process is `snap run`."""
        argv = ("snap", "run", tag)
        service = f"{tag}.service"
        self.tell(Executed(at=self.guest.now, pid=pid, exe=LAUNCHER, ppid=1, argv=argv, unit=service))
        return self

    def execute(self, tag: str, pid: int) -> Story:
        """The launcher executes the service under the policy that is there."""
        self.guest.tick(0.5)
        main = self._process(tag, pid)
        self.guest.processes[tag] = (main,)
        self.guest.units[tag] = unit(f"{tag}.service", main_pid=pid)
        self.tell(
            Started(
                at=self.guest.now,
                read_at=GuestTime(self.guest.now + SECOND // 50),
                tag=tag,
                pid=pid,
                exe=main.exe,
                process=main,
                profile=self.loaded(tag),
            ),
            UnitChanged(at=self.guest.now, unit=self.guest.units[tag]),
        )
        return self

    def _process(self, tag: str, pid: int) -> ProcessSeen:
        programs = self.guest.files[self.guest.core.compiled, tag].parts.values()
        filters = (FilterSeen(index=n, sha256=one, length=800 + n) for n, one in enumerate(programs))
        return ProcessSeen(
            pid=pid,
            ppid=1,
            exe=f"/snap/x1/usr/libexec/{tag}",
            comm="daemon",
            started=self.guest.now,
            label=tag,
            label_mode="enforce",
            seccomp_mode=2,
            filters=tuple(filters),
            main=True,
        )

    def start_services(self) -> Story:
        for number, tag in enumerate(self.guest.tags):
            self.launch(tag, 1000 + 10 * number)
            self.guest.tick(0.7)
            self.execute(tag, 1000 + 10 * number)
        return self

    def kill(self, tag: str) -> Story:
        """The service's filter kills it, and systemd will start it again."""
        self.guest.tick(1.5)
        died = unit(f"{tag}.service", "activating", "auto-restart", result="signal", restarts=1)
        self.tell(UnitChanged(at=self.guest.now, unit=died))
        return self

    # -- what is left of it

    def plan(self) -> Plan:
        return replace(
            self.guest.plan(),
            scenario="core-revert/2.68.3-2.77.1-2.68.3",
            summary="2.68.3 is refreshed to 2.77.1 and reverted; the last boot's services do not wait",
            report="https://forum.snapcraft.io/t/722",
            snaps=(SnapRef("core", NEW.name, "new.snap"), SnapRef("core", NEWER.name, "newer.snap")),
        )

    def timeline(self) -> Timeline:
        plain = self.guest.timeline()
        events = tuple(self._timed(plain))
        boots = tuple(replace(boot, occurrences=tuple(self._of_boot(boot.number))) for boot in plain.boots)
        return replace(plain, plan=self.plan(), events=events, boots=boots)

    def _of_boot(self, number: int) -> Iterator[SeenOccurrence]:
        numbered = enumerate(self.told, start=LINES_BEFORE)
        seen = [SeenOccurrence(line, told) for line, (boot, told) in numbered if boot == number]
        yield from sorted(seen, key=lambda one: one.occurrence.at)

    def _timed(self, plain: Timeline) -> Iterator[Recorded]:
        """The events at their times, a step ending when the next one begins."""
        before = len(plain.events) - len(self.guest.events) - 1
        stamps = [self.stamps[0]] * before + self.stamps + [self.guest.wall]
        timed: list[tuple[int, Event]] = []
        began, open_step = 0, None
        for at, event in zip(stamps, (recorded.event for recorded in plain.events), strict=True):
            if open_step and isinstance(event, StepBegan | RunClosed):
                timed.append((at, replace(open_step, seconds=(at - began) / SECOND)))
                open_step = None
            began = at if isinstance(event, StepBegan) else began
            if isinstance(event, StepEnded):
                open_step = event
            else:
                timed.append((at, event))
        first = self.stamps[0] - 2 * SECOND
        for line, (at, event) in enumerate(timed, start=1):
            yield Recorded(line, HostTime(at - first), event)


def stale_start() -> Story:
    """The run of this module's first lines."""
    story = Story(Guest(core=NEW))
    made_with = MachineStarted("QEMU emulator version 10.0", "tcg", "Nehalem", 2.05, "no /dev/kvm")
    story.guest.events.append(made_with)
    story.boot().do(lambda guest: guest.install(NEW))
    story.start_services().do(lambda guest: guest.look())
    story.do(lambda guest: guest.install(NEWER)).do(lambda guest: guest.look(boot_end=False))
    story.boot(RebootHow.CLEAN).do(lambda guest: guest.start_snapd())
    story.start_services().do(lambda guest: guest.look())
    story.do(lambda guest: guest.revert(NEW, start=False))
    story.do(lambda guest: guest.run("systemctl mask --now --runtime snapd.service snapd.socket").tick(4))
    number = story.guest.steps[-1].number
    story.guest.events.append(CommandRan(number, "systemctl", 0, "Created symlink\n", 2.5))
    story.boot(RebootHow.RESET).start_services().kill(BLUEZ).launch(BLUEZ, RESTARTED)
    story.do(lambda guest: guest.start_snapd())
    story.guest.say("[    8.950000] bluetoothd[1000]: segfault at 0 ip 00007f1b rsp 00007ffd error 4")
    story.guest.tick(1)
    story.execute(BLUEZ, RESTARTED).guest.tick(6)
    story.do(lambda guest: guest.look())
    interface = {"interface": "eth1"}
    story.do(lambda guest: guest.check("network-managed", False, interface, "eth1: unmanaged, state 10"))
    story.do(lambda guest: guest.events.append(MemoryRead(900_000, 1_200_000, 50_000, 60_000)))
    return story


def judged(timeline: Timeline) -> Verdict:
    """A finding on every start: in the last boot two are stale, all others fresh."""
    findings = tuple(
        _finding(boot.number, seen.line, seen.occurrence)
        for boot in timeline.boots
        for seen in boot.occurrences
        if isinstance(seen.occurrence, Started)
    )
    outcome = worst(finding.outcome for finding in findings)
    return Verdict(VERDICT_FORMAT, timeline.plan.title, outcome, findings)


def _finding(boot: int, line: int, started: Started) -> Finding:
    stale = boot == 3 and started.pid != RESTARTED
    says = f"{started.tag}: process {started.pid} executed {started.exe} at {started.at / SECOND:.3f} s"
    snapd = NEWER.name if boot == 2 else NEW.name
    kind = "stale policy, before" if stale else "policy of"
    return Finding(
        invariant=POLICY,
        outcome=Outcome.VIOLATED if stale else Outcome.HELD,
        kind="stale" if stale else "fresh",
        subject=started.tag,
        boot=boot,
        summary=f"{started.tag} started under {kind} snapd {snapd}{' ran' if stale else ''}",
        author=NEWER.name if stale else snapd,
        evidence=(Evidence("witness.jsonl", line, says),),
    )
