# SPDX-License-Identifier: GPL-3.0-only
"""Which of all programs executed are told of, and what makes a start."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.model import codec
from harness.model.occurrence import Executed as ExecutedTold
from harness.model.occurrence import FilterInstalled as FilterTold
from harness.model.occurrence import Occurrence, Started
from harness.probe import elf
from harness.probe.execs import Execs
from harness.probe.trace import Event, Executed, FilterInstalled, Forked

PID = 2**22 + 7  # above the kernel's highest PID_MAX_LIMIT: nobody's, so that only `proc` knows it
SERVICE = "snap.bluez.bluez.service"
CHAIN = (
    "/usr/bin/snap",
    "/snap/core/x1/usr/lib/snapd/snap-confine",
    "/usr/lib/snapd/snap-exec",
    "/snap/bluez/x1/bin/bluez",
)


class Proc:
    """A directory in /proc's place."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def shows(self, pid: int, exe: str, *argv: str, unit: str = SERVICE, ppid: int = 1) -> None:
        """What is to be read of a process from now on."""
        shutil.rmtree(self.top / str(pid), ignore_errors=True)
        (self.top / str(pid)).mkdir()
        (self.top / f"{pid}/exe").symlink_to(exe)
        (self.top / f"{pid}/cmdline").write_text("".join(f"{word}\0" for word in argv or (exe,)))
        (self.top / f"{pid}/cgroup").write_text(f"0::/system.slice/{unit}\n")
        (self.top / f"{pid}/stat").write_text(f"{pid} (a) b) S {ppid} 1 1 0\n")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def execs(proc: Proc) -> Execs:
    return Execs(lambda: 99, str(proc.top))


def told(execs: Execs, *events: Event) -> list[Any]:
    return [codec.decode(Occurrence, one) for one in execs.understand(events)]


def chain(*paths: str, pid: int = PID) -> list[Event]:
    return [Executed(at, pid, path) for at, path in enumerate(paths, start=1)]


def test_a_service_is_started_when_snap_exec_executes_its_program(proc: Proc) -> None:
    proc.shows(PID, CHAIN[0])
    understood = execs(proc)
    first = told(understood, *chain(*CHAIN[:3]))
    assert [(e.exe, e.unit) for e in first] == [(path, SERVICE) for path in CHAIN[:3]]
    executed, started = told(understood, Executed(4, PID, CHAIN[3]))
    assert isinstance(executed, ExecutedTold)
    assert isinstance(started, Started)
    assert (started.tag, started.pid, started.at, started.read_at) == ("snap.bluez.bluez", PID, 4, 99)
    assert started.exe == CHAIN[3]


def test_it_is_launching_from_snap_confine_to_the_snaps_program(proc: Proc) -> None:
    proc.shows(PID, CHAIN[0])
    understood = execs(proc)
    seen = []
    for event in chain(*CHAIN):
        told(understood, event)
        seen.append(understood.is_launching)
    assert seen == [False, True, True, False]


def test_a_launcher_that_has_gone_launches_nothing(proc: Proc) -> None:
    proc.shows(PID, CHAIN[0])
    understood = execs(proc)
    told(understood, *chain(*CHAIN[:2]))
    assert understood.is_launching
    shutil.rmtree(proc.top / str(PID))
    assert not understood.is_launching


def test_a_start_of_a_process_that_has_gone_is_told_without_it(proc: Proc) -> None:
    *_, started = told(execs(proc), *chain(*CHAIN))
    assert isinstance(started, Started)
    assert (started.tag, started.process) == ("", None)


def test_the_launchers_words_name_the_service_when_its_control_group_cannot(proc: Proc) -> None:
    understood = execs(proc)
    proc.shows(PID, CHAIN[1], CHAIN[1], "--base", "core", "snap.bluez.bluez", "snap-exec", unit="")
    told(understood, Executed(1, PID, CHAIN[1]))
    shutil.rmtree(proc.top / str(PID))
    *_, started = told(understood, *chain(*CHAIN[2:]))
    assert isinstance(started, Started)
    assert started.tag == "snap.bluez.bluez"


@pytest.mark.parametrize("unit", ["snapd.service", "snap.bluez.bluetoothctl.1-2.scope"])
def test_hooks_and_commands_are_no_services(proc: Proc, unit: str) -> None:
    proc.shows(PID, CHAIN[1], CHAIN[1], "snap.bluez.hook.install", unit=unit)
    assert {type(one) for one in told(execs(proc), *chain(*CHAIN))} == {ExecutedTold}


def test_a_services_command_to_stop_is_no_start(proc: Proc) -> None:
    understood = execs(proc)
    proc.shows(PID, CHAIN[0], CHAIN[0], "run", "--command=stop", "bluez.bluez")
    told(understood, Executed(1, PID, CHAIN[0]))
    assert {type(one) for one in told(understood, *chain(*CHAIN[1:]))} == {ExecutedTold}


def test_what_a_service_executes_later_is_told_and_is_no_start(proc: Proc) -> None:
    understood = execs(proc)
    told(understood, *chain(*CHAIN))
    child = PID + 1
    said = told(
        understood,
        Executed(9, PID, "/usr/bin/sleep"),
        Forked(10, PID, child),
        Executed(11, child, "/bin/ls"),
        Forked(12, child, child + 1),
        FilterInstalled(13, child + 1),
    )
    assert [type(one) for one in said] == [ExecutedTold, ExecutedTold, FilterTold]
    assert [(one.pid, one.at) for one in said] == [(PID, 9), (child, 11), (child + 1, 13)]


def test_other_programs_and_their_filters_are_not_told(proc: Proc) -> None:
    proc.shows(PID, "/usr/bin/sleep")
    others = [Executed(1, PID, "/usr/bin/sleep"), FilterInstalled(2, PID), Forked(3, PID, PID + 1)]
    assert told(execs(proc), *others) == []


def test_a_pid_that_is_used_again_is_not_the_services(proc: Proc) -> None:
    understood = execs(proc)
    told(understood, *chain(*CHAIN))
    assert told(understood, Forked(8, 1, PID), Executed(9, PID, "/usr/bin/sleep")) == []


def test_what_is_executed_by_a_descriptor_is_known_by_its_file(proc: Proc) -> None:
    proc.shows(PID, "/snap/core/x1/usr/lib/snapd/snap-update-ns", "snap-update-ns", "bluez")
    (executed,) = told(execs(proc), Executed(1, PID, "/dev/fd/7"))
    assert (executed.exe, executed.argv) == (
        "/snap/core/x1/usr/lib/snapd/snap-update-ns",
        ("snap-update-ns", "bluez"),
    )


def test_a_link_is_told_as_the_file_it_leads_to(proc: Proc) -> None:
    proc.shows(PID, "/snap/core/x1/usr/lib/snapd/snapd")
    (executed,) = told(execs(proc), Executed(1, PID, "/snap/core/current/usr/lib/snapd/snapd"))
    assert executed.exe == "/snap/core/x1/usr/lib/snapd/snapd"


def test_words_of_the_next_program_are_not_taken_for_this_ones(proc: Proc) -> None:
    proc.shows(PID, "/usr/lib/snapd/snap-exec", "/usr/lib/snapd/snap-exec", "bluez")
    (executed,) = told(execs(proc), Executed(1, PID, "/usr/lib/snapd/snap-confine"))
    assert (executed.exe, executed.argv) == ("/usr/lib/snapd/snap-confine", ())


def test_build_ids_are_of_the_running_file(proc: Proc, tmp_path: Path) -> None:
    program = tmp_path / "snapd"
    shutil.copy(os.path.realpath(sys.executable), program)
    proc.shows(PID, str(program))
    (executed,) = told(execs(proc), Executed(1, PID, str(program)))
    assert executed.build_id == elf.build_id(str(program))


def test_a_path_inside_a_snaps_mounts_is_not_read_outside(proc: Proc, tmp_path: Path) -> None:
    program = tmp_path / "snap-exec"
    shutil.copy(os.path.realpath(sys.executable), program)
    (executed,) = told(execs(proc), Executed(1, PID, str(program)))
    assert executed.build_id == ""
