# SPDX-License-Identifier: GPL-3.0-only
"""A real QEMU is killed and started again: what its disk has then, and what its clock shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import HostLacks, Mistake
from harness.fault.power_cut import surviving_disk
from harness.guest.witness import Witness
from harness.host.deadline import Deadline
from harness.host.process import run
from harness.machine_disk import RunDisk
from harness.machine_power import Change, Power
from harness.model.clock import HostTime
from harness.qemu.command import MachineSpec
from harness.qemu.disk import create_overlay
from harness.qemu.instance import Instance, start
from harness.sweep.place import SweepPlace, require_room
from harness.sweep.recording import count_entries
from tests.qemu.conftest import MakeSpec

pytestmark = pytest.mark.qemu

DEVICE = "/machine/peripheral/block0/virtio-backend"
KIB = 1024


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", path, "16M"])
    run(["qemu-io", "-c", "write -P 1 0 1M", path])
    return path


def ask(qemu: Instance, command: str) -> None:
    """Have the machine's disk device carry out a command of qemu-io's, as its driver would ask it to."""
    line = f'qemu-io -d {DEVICE} "{command}"'
    qemu.execute("human-monitor-command", {"command-line": line})


def answers(qemu: Instance) -> list[str]:
    """End QEMU, and what came of the commands: it writes that to its log, at its end."""
    qemu.quit()
    said = qemu.log.read_text().splitlines()
    return [line.partition(" bytes")[0] for line in said if re.match("wrote|read|write|Pattern", line)]


def reads(disk: Path, pattern: int, where: str) -> bool:
    """Whether all of a part of the disk is this byte."""
    said = run(["qemu-io", "-r", "-c", f"read -P {pattern} {where}", disk]).stdout
    return b"Pattern verification failed" not in said


@pytest.fixture
def power(make_spec: MakeSpec, base: Path, tmp_path: Path) -> Iterator[Callable[..., Power]]:
    """A machine whose power can be cut, on for the test."""
    with ExitStack() as stack:

        def make(*, power_cuts: bool = True, clock: str = "utc", recording: Path | None = None) -> Power:
            overlay = create_overlay(base, tmp_path / "disk.qcow2")
            disk = RunDisk(base, overlay, power_cuts=power_cuts, recording=recording)
            spec = replace(make_spec(), disks=(disk.disk,), clock=clock)
            return stack.enter_context(Power(spec, disk, switch_on))

        def switch_on(life: ExitStack, spec: MachineSpec, change: Change) -> tuple[Instance, Witness]:
            log = tmp_path / "qemu.log"
            qemu = life.enter_context(start(spec, log, Deadline.after(30), paused=True))
            change(qemu)
            channel = qemu.channel("harness.witness")
            witness = life.enter_context(Witness(channel, lambda _: None, lambda: 1, lambda: HostTime(0)))
            qemu.cont()
            return qemu, witness

        yield make


def disk_of(power: Power) -> Path:
    return power.instance.spec.disks[0].path


def left_by(power: Power) -> Path:
    """The disk of a machine that nobody uses any more."""
    disk = disk_of(power)
    power.instance.kill()
    return disk


def test_a_cut_loses_what_was_not_flushed_and_nothing_else(power: Callable[..., Power]) -> None:
    machine = power()
    ask(machine.instance, "write -P 2 0 64k")
    ask(machine.instance, "write -P 3 128k 512")
    ask(machine.instance, "flush")
    ask(machine.instance, "write -P 4 64k 64k")
    ask(machine.instance, "write -P 5 0 4k")
    machine.cut(lambda: None)
    disk = left_by(machine)
    assert reads(disk, 2, "0 64k")
    assert reads(disk, 3, "128k 512")
    assert reads(disk, 1, "129k 100k")
    assert reads(disk, 1, "64k 64k")


def test_what_was_written_after_a_cut_is_subject_to_the_next(power: Callable[..., Power]) -> None:
    machine = power()
    ask(machine.instance, "write -P 2 0 64k")
    ask(machine.instance, "flush")
    machine.cut(lambda: None)
    ask(machine.instance, "write -P 3 64k 64k")
    ask(machine.instance, "flush")
    ask(machine.instance, "write -P 4 128k 64k")
    machine.cut(lambda: None)
    disk = left_by(machine)
    assert reads(disk, 2, "0 64k")
    assert reads(disk, 3, "64k 64k")
    assert reads(disk, 1, "128k 64k")


def test_a_cut_before_anything_was_written_leaves_what_there_was(power: Callable[..., Power]) -> None:
    machine = power()
    machine.cut(lambda: None)
    disk = left_by(machine)
    assert reads(disk, 1, "0 1M")


def test_zeros_and_discards_that_were_flushed_stay(power: Callable[..., Power]) -> None:
    machine = power()
    ask(machine.instance, "write -z 0 64k")
    ask(machine.instance, "flush")
    machine.cut(lambda: None)
    disk = left_by(machine)
    assert reads(disk, 0, "0 64k")
    assert reads(disk, 1, "64k 64k")


def test_a_stop_would_flush_which_a_cut_must_not(
    power: Callable[..., Power], base: Path, tmp_path: Path
) -> None:
    """That is why a machine is killed as it runs."""
    machine = power()
    ask(machine.instance, "write -P 2 0 64k")
    disk = disk_of(machine)
    log = disk.with_suffix(".writes")
    assert reads(surviving_disk(base, log, tmp_path / "before.qcow2"), 1, "0 64k")
    machine.instance.pause()
    assert reads(surviving_disk(base, log, tmp_path / "after.qcow2"), 2, "0 64k")


@pytest.mark.parametrize("power_cuts", [False, True])
def test_a_kill_keeps_what_was_flushed(power: Callable[..., Power], power_cuts: bool) -> None:
    machine = power(power_cuts=power_cuts)
    ask(machine.instance, "write -P 2 0 64k")
    ask(machine.instance, "flush")
    told: list[str] = []
    pid = machine.instance.pid
    machine.kill(lambda: told.append("off"))
    assert told == ["off"]
    assert machine.instance.pid != pid
    assert machine.death() is None
    disk = left_by(machine)
    assert reads(disk, 2, "0 64k")


def test_a_cut_after_a_kill_loses_only_what_came_after_the_kill(power: Callable[..., Power]) -> None:
    machine = power()
    ask(machine.instance, "write -P 2 0 64k")
    ask(machine.instance, "flush")
    machine.kill(lambda: None)
    ask(machine.instance, "write -P 3 0 64k")
    machine.cut(lambda: None)
    disk = left_by(machine)
    assert reads(disk, 2, "0 64k")


def test_a_disk_that_ignores_flushes_cannot_be_cut_off(power: Callable[..., Power]) -> None:
    machine = power(power_cuts=False)
    pid = machine.instance.pid
    with pytest.raises(Mistake, match=r"ignores flushes \(cache=unsafe\)"):
        machine.cut(lambda: None)
    assert machine.instance.pid == pid
    assert machine.instance.alive


def test_what_a_recorded_disk_is_given_is_counted_and_kept(
    power: Callable[..., Power], base: Path, tmp_path: Path
) -> None:
    place = SweepPlace.of(tmp_path)
    place.prepare(base, {"agent.pyc": b"code"})
    assert place.bytecode == {"agent.pyc": b"code"}
    machine = power(power_cuts=False, recording=place.log)
    # QEMU itself may have flushed the disk as it opened it.
    before = machine.count_entries()
    ask(machine.instance, "write -P 2 0 64k")
    ask(machine.instance, "write -P 3 64k 4k")
    assert machine.count_entries() == before + 2
    ask(machine.instance, "flush")
    assert machine.count_entries() == before + 3
    with pytest.raises(Mistake, match="its log of writes is one to sweep over"):
        machine.kill(lambda: None)
    left_by(machine)
    assert count_entries(place.recording) >= before + 3
    assert reads(place.base, 1, "0 1M"), "nobody writes to the copy"
    place.state(1).touch()
    place.discard()
    assert list(place.path.iterdir()) == []


def test_nothing_is_counted_where_nothing_is_recorded(power: Callable[..., Power]) -> None:
    with pytest.raises(Mistake, match="keeps no log for a sweep"):
        power().count_entries()


def test_a_disk_that_cannot_be_copied_is_told(base: Path, tmp_path: Path) -> None:
    base.write_bytes(b"no image")
    with pytest.raises(HostLacks, match="cannot copy the disk to sweep over"):
        SweepPlace.of(tmp_path).prepare(base, {})


def test_room_for_a_sweep_is_asked_for_before_anything_is_recorded(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "not" / "there"
    require_room(runs, base)
    usage = shutil.disk_usage(tmp_path)._replace(free=100 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    needs = rf"cannot make a recording to sweep over .*: {tmp_path} has 100 MiB free, 2064 MiB are needed"
    with pytest.raises(HostLacks, match=needs):
        require_room(runs, base)


def test_the_clock_can_be_read(power: Callable[..., Power]) -> None:
    assert power(clock="2031-12-31T23:59:50").clock()[:4] in ("2031", "2032")


def test_the_clock_goes_on(power: Callable[..., Power]) -> None:
    machine = power(clock="2031-12-31T23:59:50")
    machine.kill(lambda: None)
    year, rest = machine.instance.spec.clock.split("-", 1)
    assert (int(year), rest[:5]) in ((2031, "12-31"), (2032, "01-01"))


def test_what_was_made_wrong_is_wrong_in_the_next_one_until_it_is_put_right(
    power: Callable[..., Power],
) -> None:
    machine = power(power_cuts=False)
    done: list[tuple[str, int]] = []
    undo = machine.afflict(
        lambda qemu: done.append(("begin", qemu.pid)), lambda qemu: done.append(("end", qemu.pid))
    )
    first = machine.instance.pid
    machine.kill(lambda: None)
    second = machine.instance.pid
    undo()
    machine.kill(lambda: None)
    assert done == [("begin", first), ("begin", second), ("end", second)]
