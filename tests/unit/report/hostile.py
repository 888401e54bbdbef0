# SPDX-License-Identifier: GPL-3.0-only
"""Runs of guests that mean ill: one says the same in every place, one says more than anybody can read."""

from __future__ import annotations

from dataclasses import replace

from harness.judge import judge
from harness.model.clock import SECOND, GuestTime
from harness.model.event import CommandRan, MachineSaid, MachineStarted, StartRepeated, StepEnded
from harness.model.observation import PolicyKind
from harness.model.occurrence import (
    Executed,
    FileChange,
    FileChanged,
    Lost,
    ProfileChange,
    ProfileChanged,
    Source,
    Started,
    UnitChanged,
    Watching,
)
from harness.model.timeline import ConsoleLine, SeenOccurrence, Timeline
from harness.model.verdict import Evidence, Finding, Outcome, Verdict
from tests.unit.builders import BLUEZ, OLD, Guest, fresh_revert, unit

MAD_PID = 77_777

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "</title></style><script>alert(1)</script>",
    "<!--",
    "]]>&lt;&amp;&#60;script&#62;",
    "\" onload=alert(1) x='",
    "\x1b[31mred\x1b]0;owned\x07",
    "\u202egnp.exe\u2028\u2029",
    "\ud800\udfff\ud800",
    "a\x00b\x07\r\n\t",
    "\ufffe\uffff\U0010ffff",
    "{}%s${x}`",
)


def said_by(text: str) -> tuple[Timeline, Verdict]:
    """A run in which everything that can be anybody's words is this text."""
    guest = Guest().power_on().install(OLD).start_services()
    assert guest.snapd
    guest.change_process(BLUEZ, exe=text, label=text, problem=text, comm=text)
    guest.look(snapd=replace(guest.snapd, exe=text), unsettled=(text,), problems=(text,))
    guest.check(text, None, {text: text}, text)
    guest.events += [
        StepEnded(guest.steps[-1].number, 1.0, text),
        CommandRan(guest.steps[-1].number, text, 0, f"!{text}", 1.0),
        MachineSaid(text, {text: text}),
        StartRepeated(text, text),
        MachineStarted(text, text, text, 1.0, text),
    ]
    plain = guest.fail(text).timeline()
    boot = plain.boots[-1]
    console = (*boot.console, ConsoleLine(900, f"Kernel panic - not syncing: {text}"))
    seen = tuple(SeenOccurrence(500 + n, one) for n, one in enumerate(occurrences(text)))
    boots = (
        *plain.boots[:-1],
        replace(boot, console=console, occurrences=seen, ended=f"!{text}", boot_id=f"!{text}"),
    )
    plan = replace(plain.plan, summary=f"!{text}", image=text, file=text, variant={text: text})
    timeline = replace(plain, boots=boots, plan=plan, gaps=(text,))
    proof = Evidence(text, 7, text)
    findings = tuple(
        Finding(text, outcome, text, text, 0, text, author=f"!{text}", evidence=(proof,))
        for outcome in Outcome
    )
    verdict = judge(timeline)
    return timeline, replace(
        verdict, findings=(*verdict.findings, *findings), replicas=(text,), error=f"!{text}"
    )


def occurrences(text: str) -> tuple[object, ...]:
    at, device = GuestTime(40 * SECOND), PolicyKind.DEVICE
    service = f"{BLUEZ}.service"
    return (
        Lost(at=at, source=Source.EXECS, since=at, why=text),
        Executed(at=at, pid=1, exe=f"{text}/lib/snapd/snapd", build_id=text),
        Executed(at=at, pid=2, exe=f"{text}/usr/bin/snap", unit=service),
        FileChanged(at=at, change=FileChange.WRITTEN, path=text, pid=2, sha256=f"!{text}"),
        FileChanged(at=at, change=FileChange.DELETED, path=text, pid=3, kind=device, name=text, sha256=text),
        ProfileChanged(at=at, change=ProfileChange.LOAD, name=text, pid=4, comm=text),
        Started(at=at, read_at=at, tag=BLUEZ, pid=5, exe=text),
        Started(at=at, read_at=at, tag=text, pid=6, exe=text),
        UnitChanged(at=at, unit=unit(service, "failed", text, result=text)),
    )  # fmt: skip


def crowded(count: int) -> Timeline:
    """A boot in which a file is written, a program executed and a unit restarted again and again."""
    plain = fresh_revert().timeline()
    boot = plain.boots[-1]
    occurrences = [one for n in range(count // 3) for one in _round(n)]
    seen = tuple(SeenOccurrence(100 + n, one) for n, one in enumerate(occurrences))
    return replace(plain, boots=(*plain.boots[:-1], replace(boot, occurrences=seen)))


def _round(number: int) -> tuple[object, ...]:
    at = GuestTime(number * SECOND // 50)
    failed = unit(f"{BLUEZ}.service", "activating", "auto-restart", result="signal", restarts=number)
    path = f"/var/lib/snapd/seccomp/bpf/snap.x{number}.src"
    return (
        FileChanged(
            at=at, change=FileChange.WRITTEN, path=path, pid=1, kind=PolicyKind.SECCOMP_SOURCE, name="x"
        ),
        Started(at=at, read_at=at, tag=BLUEZ, pid=number, exe="/snap/bluez/x1/bluetoothd"),
        UnitChanged(at=at, unit=failed),
    )


def lying(mad: int) -> Timeline:
    """A boot in which everything happened at one impossible time."""
    timeline = crowded(30)
    last, at = timeline.boots[-1], GuestTime(mad)
    mount = PolicyKind.MOUNT
    lies = (
        Watching(at=at, source=Source.EXECS, since=at),
        Lost(at=at, source=Source.EXECS, since=at, why="because"),
        Executed(at=at, pid=1, exe="/usr/lib/snapd/snapd"),
        FileChanged(at=at, change=FileChange.WRITTEN, path="/x", pid=1, kind=mount),
        Started(at=at, read_at=at, tag=BLUEZ, pid=MAD_PID, exe="/x"),
        UnitChanged(at=at, unit=unit(f"{BLUEZ}.service", "failed", "failed", restarts=mad)),
    )
    seen = (*last.occurrences, *(SeenOccurrence(n, one) for n, one in enumerate(lies, start=1)))
    return replace(timeline, boots=(*timeline.boots[:-1], replace(last, occurrences=seen)))
