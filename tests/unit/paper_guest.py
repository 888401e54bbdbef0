# SPDX-License-Identifier: GPL-3.0-only
"""A guest of paper: it boots, keeps policy and starts services as a guest with snapd does.

Only what guest-recipe and snapd-facts say of real guests is modelled: who rewrites which file when, what
the boot-time loader loads, and which file each snap-confine reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from harness.model.clock import SECOND, GuestTime, WallTime
from harness.model.event import (
    BootBegan,
    BootEnded,
    BootReady,
    Event,
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
    SystemKey,
    UnitSeen,
)
from harness.model.occurrence import MountProfile, Namespace
from harness.model.plan import (
    Action,
    Boot,
    InstallSnap,
    PlannedStep,
    RebootGuest,
    RevertSnap,
    SnapRef,
)
from harness.model.scenario import RebootHow
from harness.policy.kind import snap_of
from tests.unit.paper_core import OLD, Core, digest
from tests.unit.paper_stream import Stream

BLUEZ = "snap.bluez.bluez"
NETWORK = "snap.network-manager.networkmanager"
TAGS = (BLUEZ, NETWORK)

_PATHS = {
    PolicyKind.MOUNT: "/var/lib/snapd/mount/{}.fstab",
    PolicyKind.SECCOMP_TEXT: "/var/lib/snapd/seccomp/profiles/{}",
    PolicyKind.SECCOMP_POINTER: "/var/lib/snapd/seccomp/profiles/{}",
    PolicyKind.SECCOMP_SOURCE: "/var/lib/snapd/seccomp/bpf/{}.src",
    PolicyKind.SECCOMP_BIN: "/var/lib/snapd/seccomp/bpf/{}.bin",
    PolicyKind.SECCOMP_BIN2: "/var/lib/snapd/seccomp/bpf/{}.bin2",
    PolicyKind.APPARMOR_SOURCE: "/var/lib/snapd/apparmor/profiles/{}",
    PolicyKind.APPARMOR_CACHE: "/var/cache/apparmor/26b63962.0/{}",
}


def unit(name: str, state: str = "active", sub: str = "running", **more: object) -> UnitSeen:
    """A unit as systemd tells of it."""
    seen = UnitSeen(name=name, load_state="loaded", active_state=state, sub_state=sub, result="success")
    return replace(seen, **more)  # type: ignore[arg-type]


@dataclass(slots=True)
class PaperGuest:
    """The guest and the steps that are carried out on it; `streams` says that its witness tells of all."""

    streams: bool = True
    stream: Stream = field(init=False)
    launched: int = 0
    daemons: int = 0

    tags: tuple[str, ...] = TAGS
    wall: int = 1_700_000_000 * SECOND
    boot_wall: int = 0
    boot: int = 0
    core: Core = OLD
    snapd: SnapdSeen | None = None
    key: SystemKey | None = None
    files: dict[tuple[PolicyKind, str], PolicyFile] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=dict)
    kernel: dict[str, str] = field(default_factory=dict)
    processes: dict[str, tuple[ProcessSeen, ...]] = field(default_factory=dict)
    units: dict[str, UnitSeen] = field(default_factory=dict)
    steps: list[PlannedStep] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    console: bytes = b""

    def __post_init__(self) -> None:
        self.stream = Stream(lambda: self.now, self.streams)

    # -- time and boots

    def tick(self, seconds: float = 1.0) -> WallTime:
        self.wall += int(seconds * SECOND)
        return WallTime(self.wall)

    @property
    def now(self) -> GuestTime:
        return GuestTime(self.wall - self.boot_wall)

    def power_on(self, how: RebootHow | None = None) -> Self:
        """A boot: the loader loads what is on disk, no snapd and no service runs yet."""
        self._step("boot" if how is None else f"reboot ({how})", Boot() if how is None else RebootGuest(how))
        if self.boot:
            self.events.append(BootEnded(self.boot, "guest-reset"))
        self.tick(30)
        self.boot, self.boot_wall = self.boot + 1, self.wall
        self.events.append(BootBegan(self.boot, len(self.console), "the machine was started"))
        self.events.append(BootReady(self.boot, f"boot-{self.boot}"))
        self.say("[    0.000000] Linux version 6.12")
        self.snapd, self.processes, self.kernel, self.namespaces = None, {}, {}, {}
        self.launched = self.daemons = 0
        self.stream.boots(self.boot)
        self.tick(5)
        loader = self.stream.runs("/usr/lib/snapd/snapd-apparmor", 1)
        for kind, tag in list(self.files):
            if kind == PolicyKind.APPARMOR_SOURCE:
                self.load_profile(tag, loader)
        return self

    def reboot(self, how: RebootHow = RebootHow.CLEAN) -> Self:
        return self.power_on(how)

    def say(self, line: str) -> None:
        self.console += line.encode() + b"\r\n"

    # -- snapd

    def install(self, core: Core) -> Self:
        """Install or refresh to a core: snapd restarts in place and regenerates when it must."""
        ref = SnapRef("core", core.name, f"core_{core.name}.snap")
        self._step(f"install core {core.name}", InstallSnap(ref, refresh=bool(self.key)))
        self.core = core
        return self.start_snapd()

    def revert(self, core: Core, *, start: bool = True) -> Self:
        self._step("revert core", RevertSnap("core"))
        self.core = core
        return self.start_snapd() if start else self

    def start_snapd(self) -> Self:
        self.tick(8)
        tools = {"snap-seccomp": self.core.compiler}
        exe = f"/snap/core/{self.core.name}/usr/lib/snapd/snapd"
        pid, self.daemons = 500 + self.daemons, self.daemons + 1
        self.snapd = SnapdSeen(pid=pid, exe=exe, build_id=self.core.build, started=self.now, tools=tools)
        self.stream.snapd_begins(pid, exe, self.core.build)
        if self.key is None or self.key.build_id != self.core.build:
            self.regenerate()
        self.stream.snapd_is_ready()
        return self

    def regenerate(self) -> Self:
        """Backend by backend, changed files only; the key goes first and comes last."""
        daemon = self.stream.daemon
        self.key = None
        self.stream.key(daemon, "")
        self.tick(2)
        if self.core.compiled == PolicyKind.SECCOMP_BIN:
            self.write(
                PolicyKind.SECCOMP_BIN, "global", digest("global"), {"whole": digest("global")}, daemon
            )
        is_text = self.core.compiled == PolicyKind.SECCOMP_TEXT
        for tag in self.tags if is_text else ():
            text = digest("text", tag, self.core.name)
            self.write(PolicyKind.SECCOMP_TEXT, tag, text, writer=daemon, place=self.core.place)
        for tag in () if is_text else self.tags:
            source = digest("src", tag, self.core.name)
            if self.write(PolicyKind.SECCOMP_SOURCE, tag, source, writer=daemon):
                self.tick(0.1)
                parts = self.core.programs(tag)
                tool = f"/snap/core/{self.core.name}/usr/lib/snapd/snap-seccomp"
                writer = self.stream.runs(tool, daemon, self.core.compiler)
                self.write(self.core.compiled, tag, digest(*parts.values()), parts, writer)
        for tag in self.tags:
            self.write(PolicyKind.APPARMOR_SOURCE, tag, digest("profile", tag, self.core.name), writer=daemon)
            self.load_profile(tag, daemon)
        for snap in sorted({snap_of(tag) for tag in self.tags}) if self.core.mounts else ():
            self.write(PolicyKind.MOUNT, snap, digest(snap, self.core.mounts), writer=daemon)
        if not is_text:
            self.put_key(writer=daemon)
        return self

    def put_key(self, core: Core | None = None, writer: int = 0) -> Self:
        """Write the key of a core, as snapd does last of all, or as somebody does by hand."""
        build = (core or self.core).build
        self.key = SystemKey(build_id=build, version=11, sha256=digest("key", build), changed=self.tick(0.1))
        self.stream.key(writer or self.stream.runs("/usr/bin/cp", 800), self.key.sha256)
        return self

    def write(
        self,
        kind: PolicyKind,
        name: str,
        content: str,
        parts: Mapping[str, str] | None = None,
        writer: int = 0,
        place: str = "",
    ) -> bool:
        """Write a file unless its content is there already; by hand, unless a process is named."""
        old = self.files.get((kind, f"{place}{name}"))
        if old and old.sha256 == content:
            return False
        at = self.tick(0.1)
        made_by = self.core.compiler if kind == PolicyKind.SECCOMP_SOURCE else ""
        file = PolicyFile(
            path=_PATHS[kind].format(f"{place}{name}"),
            kind=kind,
            name=name,
            sha256=content,
            size=800,
            changed=at,
            modified=at,
            parts=parts or {},
            made_by=made_by,
        )
        self.files[kind, f"{place}{name}"] = file
        self.stream.writes(writer or self.stream.runs("/usr/bin/cp", 800), file)
        return True

    def load_profile(self, tag: str, parent: int = 1) -> None:
        """apparmor_parser: compile when the cache is not of this source, give it the source's time, load."""
        source = self.files[PolicyKind.APPARMOR_SOURCE, tag]
        parser = self.stream.runs("/usr/sbin/apparmor_parser", parent)
        if self.write(PolicyKind.APPARMOR_CACHE, tag, digest("cache", source.sha256), writer=parser):
            cache = self.files[PolicyKind.APPARMOR_CACHE, tag]
            self.files[PolicyKind.APPARMOR_CACHE, tag] = replace(cache, modified=source.modified)
        self.kernel[tag] = self.files[PolicyKind.APPARMOR_CACHE, tag].sha256
        self.stream.loads(parser, self.profile(tag))

    def profile(self, tag: str) -> LoadedProfile:
        """The profile as the kernel tells of it."""
        raw = self.kernel[tag]
        return LoadedProfile(name=tag, mode="enforce", raw_sha256=raw, sha256=digest("k", raw))

    # -- services

    def start_services(self) -> Self:
        """snap-confine of the current core loads what it reads from disk, and the service executes."""
        for tag in self.tags:
            self.start_service(tag)
        return self

    def start_service(self, tag: str, *, restarts: int = 0, waited: float = 0.3) -> Self:
        """One service starts, `waited` seconds after its launcher began."""
        self.tick(max(0.5, waited))
        main = self.process(tag, self.next_pid(), main=True)
        child = replace(main, pid=main.pid + 1, ppid=main.pid, main=False)
        self.processes[tag] = (main, child)
        self.units[tag] = unit(f"{tag}.service", main_pid=main.pid, restarts=restarts)
        self.stream.launches(tag, main.pid, self.core.name, waits=waited)
        profile = self.profile(tag) if tag in self.kernel else None
        self.stream.starts(tag, replace(main, main=False), profile, restarts, self.mounts(snap_of(tag)))
        return self

    def mounts(self, snap: str) -> MountProfile:
        """snap-update-ns mounts what the profile of now lists, unless the snap has a namespace already."""
        file = self.files.get((PolicyKind.MOUNT, snap))
        desired = file.sha256 if file else ""
        made = self.namespaces.setdefault(snap, desired)
        return MountProfile(
            desired=desired,
            current=digest("made", made),
            pending=(f"/{desired[:8]}",) if desired not in ("", made) else (),
            surplus=(f"/{made[:8]}",) if made not in ("", desired) else (),
            namespace=Namespace.OWN,
        )

    def fail_launch(self, tag: str, *, sub: str = "failed", status: int = 1, restarts: int = 0) -> Self:
        """The launcher of a service dies in snap-confine."""
        self.tick(0.5)
        self.stream.launches(tag, self.next_pid(), self.core.name, until=3)
        self.tick(0.1)
        self.stream.fails(tag, sub, status=status, restarts=restarts)
        self.processes[tag] = ()
        state = "failed" if sub == "failed" else "activating"
        self.units[tag] = unit(f"{tag}.service", state, sub, result="exit-code", exit_status=status)
        return self

    def next_pid(self) -> int:
        pid, self.launched = 1000 + 10 * self.launched, self.launched + 1
        return pid

    def process(self, tag: str, pid: int, *, main: bool) -> ProcessSeen:
        found = [self.files[self.core.compiled, f"{self.core.place}{tag}"]]
        if self.core.compiled == PolicyKind.SECCOMP_BIN:
            found.append(self.files[PolicyKind.SECCOMP_BIN, "global"])
        programs = [program for file in found for program in file.parts.values()]
        if self.core.compiled == PolicyKind.SECCOMP_TEXT:
            programs = [digest("program of", found[0].sha256)]
        filters = tuple(FilterSeen(index=i, sha256=p, length=800 + i) for i, p in enumerate(programs))
        return ProcessSeen(
            pid=pid,
            ppid=1,
            exe=f"/snap/bluez/x1/usr/libexec/{tag}",
            comm="daemon",
            started=self.now,
            label=tag,
            label_mode="enforce",
            seccomp_mode=2,
            filters=filters,
            main=main,
        )

    def wait_in_launcher(self, tag: str) -> Self:
        """The service's process is `snap run`, which waits for snapd."""
        waiting = replace(
            self.processes[tag][0], exe="/usr/bin/snap", label="unconfined", label_mode="", seccomp_mode=0
        )
        self.processes[tag] = (replace(waiting, filters=()),)
        return self

    def change_process(self, tag: str, **changes: object) -> Self:
        first, *rest = self.processes[tag]
        self.processes[tag] = (replace(first, **changes), *rest)  # type: ignore[arg-type]
        return self

    def _step(self, title: str, action: Action) -> str:
        number = str(len(self.steps) + 1)
        self.steps.append(PlannedStep(number, title, action, 60.0))
        self.events += [StepBegan(number, title), StepEnded(number, 1.5)]
        return number
