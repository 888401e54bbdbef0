# SPDX-License-Identifier: GPL-3.0-only
"""What the witness of a guest of paper says as things happen: which process does what, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.model.clock import SECOND, GuestTime
from harness.model.observation import LoadedProfile, PolicyFile, ProcessSeen, UnitSeen
from harness.model.occurrence import (
    Executed,
    FileChange,
    FileChanged,
    FilterInstalled,
    MountProfile,
    Occurrence,
    ProfileChange,
    ProfileChanged,
    Source,
    Started,
    UnitChanged,
    Watching,
)

SYSTEM_KEY = "/var/lib/snapd/system-key"
IMAGE_SNAPD = "/usr/lib/snapd/snapd"
IMAGE_BUILD = "d" * 40


@dataclass(slots=True)
class Stream:
    """Tells occurrences of the boot that `now` is of; silent until `speaks`."""

    now: Callable[[], GuestTime]
    speaks: bool = False
    boot: int = 0
    told: list[tuple[int, Occurrence]] = field(default_factory=list)
    daemon: int = 0
    pids: int = 5000

    def say(self, *occurrences: Occurrence) -> None:
        if self.speaks:
            self.told += [(self.boot, one) for one in occurrences]

    def pid(self) -> int:
        self.pids += 1
        return self.pids

    def boots(self, boot: int) -> None:
        """A kernel started; the witness watches from its beginning on."""
        self.boot, self.daemon = boot, 0
        self.say(*(Watching(at=GuestTime(SECOND), source=source, since=GuestTime(0)) for source in Source))

    # -- snapd

    def snapd_begins(self, pid: int, exe: str, build: str) -> None:
        """systemd executes the image's snapd, which executes the core's."""
        at = self.now()
        self.daemon = pid
        unit = "snapd.service"
        self.say(
            UnitChanged(at=at, unit=told_unit(unit, "activating", "start", main_pid=pid)),
            Executed(at=at, pid=pid, exe=IMAGE_SNAPD, ppid=1, build_id=IMAGE_BUILD, unit=unit),
            Executed(at=GuestTime(at + SECOND // 10), pid=pid, exe=exe, ppid=1, build_id=build, unit=unit),
        )

    def snapd_is_ready(self) -> None:
        unit = told_unit("snapd.service", "active", "running", main_pid=self.daemon)
        self.say(UnitChanged(at=self.now(), unit=unit))

    def runs(self, exe: str, parent: int, build: str = "") -> int:
        """A tool runs; its process."""
        pid = self.pid()
        at = GuestTime(self.now() - SECOND // 100)
        self.say(Executed(at=at, pid=pid, exe=exe, ppid=parent, build_id=build))
        return pid

    def writes(self, pid: int, file: PolicyFile) -> None:
        self.say(
            FileChanged(
                at=self.now(),
                change=FileChange.WRITTEN,
                path=file.path,
                pid=pid,
                kind=file.kind,
                name=file.name,
                sha256=file.sha256,
                parts=file.parts,
                made_by=file.made_by,
            )
        )

    def deletes(self, pid: int, file: PolicyFile) -> None:
        change = FileChange.DELETED
        self.say(
            FileChanged(at=self.now(), change=change, path=file.path, pid=pid, kind=file.kind, name=file.name)
        )

    def key(self, pid: int, sha256: str) -> None:
        """The system-key is written, or unlinked when there is no digest."""
        change = FileChange.WRITTEN if sha256 else FileChange.DELETED
        self.say(FileChanged(at=self.now(), change=change, path=SYSTEM_KEY, pid=pid, sha256=sha256))

    def loads(self, pid: int, profile: LoadedProfile) -> None:
        self.say(
            ProfileChanged(
                at=self.now(),
                change=ProfileChange.REPLACE,
                name=profile.name,
                pid=pid,
                comm="apparmor_parser",
                profile=profile,
            )
        )

    # -- services

    def launches(self, tag: str, pid: int, core: str, *, until: int = 5, waits: float = 0.3) -> None:
        """The first `until` programs of a launch that ends now; five are all of it."""
        unit = f"{tag}.service"
        end = self.now()
        app = tag.removeprefix("snap.")
        programs = (
            ("/usr/bin/snap", ("/usr/bin/snap", "run", app)),
            (f"/snap/core/{core}/usr/bin/snap", ("/usr/bin/snap", "run", app)),
            (f"/snap/core/{core}/usr/lib/snapd/snap-confine", ("snap-confine", tag, "snap-exec", app)),
            ("/usr/lib/snapd/snap-exec", ("snap-exec", app)),
            (f"/snap/x/x1/usr/libexec/{tag}", (f"/snap/x/x1/usr/libexec/{tag}",)),
        )
        begun = end - int(waits * SECOND)
        for number, (exe, argv) in enumerate(programs[:until]):
            at = GuestTime(begun + number * SECOND // 1000) if number < 2 else GuestTime(end - 50 + number)
            self.say(Executed(at=at, pid=pid, exe=exe, ppid=1, argv=argv, unit=unit))
            if number == 2 and until > 3:
                self.say(FilterInstalled(at=GuestTime(end - 48), pid=pid))

    def starts(
        self,
        tag: str,
        process: ProcessSeen,
        profile: LoadedProfile | None,
        restarts: int,
        mounts: MountProfile,
    ) -> None:
        """The service executes, and its confinement is read."""
        end = self.now()
        at = GuestTime(end - 46)
        unit = told_unit(f"{tag}.service", "active", "running", main_pid=process.pid, restarts=restarts)
        self.say(
            UnitChanged(at=at, unit=unit),
            Started(
                at=at,
                read_at=end,
                tag=tag,
                pid=process.pid,
                exe=process.exe,
                process=process,
                profile=profile,
                mount_profile=mounts,
            ),
        )

    def fails(self, tag: str, sub: str, *, status: int = 1, restarts: int = 0) -> None:
        """A service, or its launcher, has ended; `sub` is `failed` or `auto-restart`."""
        state = "failed" if sub == "failed" else "activating"
        unit = UnitSeen(
            name=f"{tag}.service",
            load_state="loaded",
            active_state=state,
            sub_state=sub,
            result="exit-code",
            exit_code=1,
            exit_status=status,
            restarts=restarts,
        )
        self.say(UnitChanged(at=self.now(), unit=unit))


def told_unit(name: str, state: str, sub: str, *, main_pid: int = 0, restarts: int = 0) -> UnitSeen:
    """A unit that does well, as systemd tells of it."""
    return UnitSeen(
        name=name,
        load_state="loaded",
        active_state=state,
        sub_state=sub,
        result="success",
        restarts=restarts,
        main_pid=main_pid,
    )
