# SPDX-License-Identifier: GPL-3.0-only
"""What the witness sees happen in a real guest: from before its systemd, from the kernel's own sources.

And what it does not see: a point that is not reached.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from harness.engine import run_plan
from harness.judge import judge_directory
from harness.model.occurrence import (
    Executed,
    FileChanged,
    Occurrence,
    ProfileChanged,
    Source,
    Started,
    UnitChanged,
    Watching,
)
from harness.model.plan import AwaitPoint, Boot, RunCommand
from harness.model.point import ProgramExecuted
from harness.record import read_timeline
from tests.vm.conftest import lab_in, plan_of

# The one run is made once for the module, and would else be made on every worker.
pytestmark = [pytest.mark.vm, pytest.mark.xdist_group("occurrences")]

TAG = "snap.fake.app"
# Stands for snap-exec: the witness goes by the names of programs.
SNAP_EXEC = "/run/fake/snap-exec"
POLICY = "/var/lib/snapd/seccomp/bpf"
STEPS = f"""
set -e
systemctl start snapd.service
mkdir -p /run/fake {POLICY}
cp /bin/sh {SNAP_EXEC}
echo 'profile {TAG} {{ file, signal, }}' | apparmor_parser --replace
printf program >{POLICY}/{TAG}.bin.XyZ~
mv {POLICY}/{TAG}.bin.XyZ~ {POLICY}/{TAG}.bin
systemd-run --quiet --unit={TAG}.service -p AppArmorProfile={TAG} {SNAP_EXEC} -c 'exec /usr/bin/sleep 600'
sleep 5
systemctl kill --signal=KILL {TAG}.service
sleep 5
"""


PLAN = plan_of(
    (Boot(), 180.0),
    (RunCommand(STEPS), 120.0),
    (AwaitPoint(ProgramExecuted("snap-failure")), 1.0),
    (RunCommand("true"), 60.0),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    return run_plan(PLAN, lab_in(tmp_path_factory.mktemp("occurrences"), pytestconfig), print)


@pytest.fixture
def occurred(run: Path) -> tuple[Occurrence, ...]:
    timeline = read_timeline(run)
    assert timeline.gaps == ()
    (boot,) = timeline.boots
    return tuple(seen.occurrence for seen in boot.occurrences)


def test_a_point_that_is_not_reached_leaves_the_run_unproven(run: Path) -> None:
    assert read_timeline(run).failure is None
    verdict = judge_directory(run)
    assert [f.kind for f in verdict.findings if f.invariant == "record"] == ["never-reached"]
    assert verdict.exit_code == 2


def test_a_boot_is_seen_from_its_beginning(occurred: tuple[Occurrence, ...]) -> None:
    since = {one.source: one.since for one in occurred if isinstance(one, Watching)}
    assert set(since) == set(Source)
    assert since[Source.EXECS] == 0
    units = [one for one in occurred if isinstance(one, UnitChanged)]
    assert max(since.values()) < min(unit.at for unit in units)
    ready = [u for u in units if (u.unit.name, u.unit.active_state) == ("snapd.service", "active")]
    assert ready
    snapd = [one for one in occurred if isinstance(one, Executed) and Path(one.exe).name == "snapd"]
    assert snapd[0].at < ready[0].at
    assert (snapd[0].unit, snapd[0].ppid, len(snapd[0].build_id)) == ("snapd.service", 1, 40)
    _check_the_service(occurred)


def _check_the_service(occurred: tuple[Occurrence, ...]) -> None:
    (loaded,) = (one for one in occurred if isinstance(one, ProfileChanged) and one.name == TAG)
    assert (loaded.comm, loaded.profile is not None) == ("apparmor_parser", True)
    (written,) = (one for one in occurred if isinstance(one, FileChanged) and one.name == TAG)
    assert written.sha256 == hashlib.sha256(b"program").hexdigest()
    assert written.pid
    (started,) = (one for one in occurred if isinstance(one, Started))
    assert (started.tag, started.exe, started.profile) == (TAG, "/usr/bin/sleep", loaded.profile)
    assert started.process is not None
    assert (started.process.label, started.process.exe) == (TAG, "/usr/bin/sleep")
    states = [
        one.unit for one in occurred if isinstance(one, UnitChanged) and one.unit.name == f"{TAG}.service"
    ]
    assert [(unit.active_state, unit.result) for unit in states] == [
        ("active", "success"),
        ("failed", "signal"),
    ]
    assert states[0].main_pid == started.pid
