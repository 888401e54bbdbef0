# SPDX-License-Identifier: GPL-3.0-only
"""What of a repetition's differences, and of what a plan wants, reaches the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness import lab as lab_module
from harness.host.rundir import new_run
from harness.image.build import Image
from harness.image.starts import Start
from harness.lab import Lab
from harness.lab_prepared import Prepared
from harness.lab_spec import AfterCut, LabOptions, Leaves, Wants, wants_of
from harness.model.clock import GuestTime, HostTime
from harness.model.occurrence import Held, UnitChanged
from harness.model.plan import AwaitPoint, PlannedStep, RebootGuest
from harness.model.point import TimePassed, UnitReady
from harness.model.repeat import Perturbation
from harness.model.scenario import MachineOptions, RebootHow
from harness.qemu.accel import Accelerator
from harness.qemu.command import CacheMode, DirectKernel, Disk, MachineSpec
from harness.record_writing import Recorder
from harness.sweep.place import SweepPlace
from tests.unit.builders import fresh_revert
from tests.unit.paper_guest import unit

NOTHING = Wants()
OPTIONS = LabOptions(catalogue=Path("c"), runs=Path("runs"), append="theirs", cpus=2)


class NotStartedError(Exception):
    """Carries what would have been started."""

    def __init__(self, spec: MachineSpec) -> None:
        super().__init__()
        self.spec = spec


def asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    perturbation: Perturbation | None,
    wants: Wants = NOTHING,
    kind: str = "tcg",
    one_thread: bool = False,
    **others: Any,
) -> tuple[MachineSpec, Mapping[str, int]]:
    """The machine that would have been started, and the delays that its seed got."""
    initrd = tmp_path / "initrd"
    initrd.write_bytes(b"")
    image = Image(
        "i", "k", tmp_path / "disk", tmp_path / "kernel", initrd, "/dev/vda", "quiet", tmp_path / "m"
    )
    told: list[Mapping[str, int]] = []

    @contextmanager
    def not_started(spec: MachineSpec, *_: Any, **__: Any) -> Iterator[None]:
        raise NotStartedError(spec)
        yield

    def seed(_keys: object, *, delays: Mapping[str, int], **_: object) -> bytes:
        told.append(delays)
        return b""

    monkeypatch.setattr(lab_module, "begin", not_started)
    monkeypatch.setattr(lab_module, "make_seed", seed)
    monkeypatch.setattr(lab_module, "create_overlay", lambda _disk, to: to)
    monkeypatch.setattr(Lab, "_chosen_accelerator", lambda *_: Accelerator(kind, kind, "max", 1.0, "told"))
    lab = Lab(replace(OPTIONS, catalogue=tmp_path / "c", runs=tmp_path, one_thread=one_thread), print)
    prepared = Prepared(image, {}, tmp_path / "payload", wants=wants)
    with (
        new_run(tmp_path, "r") as directory,
        Recorder(directory.path, lambda: HostTime(0)) as record,
        pytest.raises(NotStartedError) as caught,
        lab.machine(prepared, directory, record, perturbation, **others),
    ):
        pass
    return caught.value.spec, told[0]


def test_what_is_different_reaches_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = {"snapd.service": 1200}
    spec, delays = asked_for(tmp_path, monkeypatch, Perturbation(7, 3, 4, late, ("random.trust_cpu=off",)))
    assert spec.cpus == 4
    assert isinstance(spec.boot, DirectKernel)
    assert spec.boot.cmdline.endswith(" theirs random.trust_cpu=off")
    assert delays == late


@pytest.mark.parametrize("perturbation", [None, Perturbation(7, 3)])
def test_nothing_is_different_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, perturbation: Perturbation | None
) -> None:
    spec, delays = asked_for(tmp_path, monkeypatch, perturbation)
    assert spec.cpus == 2
    assert isinstance(spec.boot, DirectKernel)
    assert spec.boot.cmdline.endswith(" theirs")
    assert delays == {}


START = Start("key", Path("place"), "2026-03-01T00:00:30Z")
SMALL = Wants(MachineOptions(cpus=1, memory_mib=512, clock_back=2 * 86400.0), panics=True, power_cuts=True)


def test_what_a_plan_wants_reaches_its_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, _ = asked_for(tmp_path, monkeypatch, None, SMALL, start=START)
    assert (spec.cpus, spec.memory_mib, spec.clock) == (1, 512, "2026-02-27T00:00:30")
    assert spec.boot.cmdline.endswith(" theirs unknown_nmi_panic")
    (root, _) = spec.disks
    assert root.cache is CacheMode.WRITEBACK
    assert root.write_log is not None
    assert root.write_log.parent == root.path.parent


def test_what_is_swept_is_logged_in_the_run_s_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[tuple[SweepPlace, Path]] = []
    monkeypatch.setattr(SweepPlace, "prepare", lambda place, disk, _: prepared.append((place, disk)))
    spec, _ = asked_for(tmp_path, monkeypatch, None, Wants(swept=True), start=START)
    ((place, disk),) = prepared
    assert disk == START.disk
    root = spec.disks[0]
    assert (root.cache, root.write_log) == (CacheMode.WRITEBACK, place.log)
    assert place.path.name == "sweep"
    started, _ = asked_for(
        tmp_path, monkeypatch, None, Wants(swept=True), leaves=Leaves(tmp_path / "left.qcow2")
    )
    assert started.disks[0].write_log is None
    assert len(prepared) == 1


def test_after_a_cut_the_clock_goes_on_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording's clock was set back already, and a file must not be from the future."""
    cut = AfterCut(Path("state.qcow2"), "2026-02-27T00:07:30", Path("recording"))
    spec, _ = asked_for(tmp_path, monkeypatch, None, SMALL, start=cut)
    assert (spec.clock, spec.cpus) == ("2026-02-27T00:07:30", 1)


def test_and_not_the_start_that_others_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "left.qcow2"
    spec, _ = asked_for(tmp_path, monkeypatch, None, SMALL, leaves=Leaves(left))
    plain, _ = asked_for(tmp_path, monkeypatch, None, leaves=Leaves(left))
    assert spec.disks[0] == plain.disks[0] == Disk(path=left, serial="root", cache=CacheMode.UNSAFE)
    assert (spec.cpus, spec.memory_mib, spec.clock) == (plain.cpus, plain.memory_mib, "utc")
    assert spec.boot.cmdline == plain.boot.cmdline


def test_the_clock_goes_on_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, _ = asked_for(tmp_path, monkeypatch, None, start=START)
    assert spec.clock == "2026-03-01T00:00:30"


def test_a_clock_can_be_behind_without_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, _ = asked_for(tmp_path, monkeypatch, None, SMALL)
    assert datetime.fromisoformat(f"{spec.clock}Z") < datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize("how", RebootHow)
def test_what_a_plan_wants_is_read_off_its_steps(how: RebootHow) -> None:
    ready = UnitReady("snapd.service")
    actions = (RebootGuest(how), AwaitPoint(ready), AwaitPoint(TimePassed(3.0)))
    steps = tuple(PlannedStep(str(n), "step", action, 1.0) for n, action in enumerate(actions))
    plan = replace(fresh_revert().plan(), steps=steps, machine=MachineOptions(cpus=3))
    wants = wants_of(plan)
    assert wants.machine.cpus == 3
    assert (wants.panics, wants.power_cuts) == (how is RebootHow.PANIC, how is RebootHow.POWER_CUT)
    told = (
        UnitChanged(at=GuestTime(1), unit=unit(name, "active")) for name in ("snapd.service", "a.service")
    )
    assert [wants.is_awaited(one) for one in told] == [True, False]
    held = Held(at=GuestTime(2), hold=1, since=GuestTime(1), over=False)
    assert NOTHING.is_awaited(held), "a release waits for it"


@pytest.mark.parametrize(
    ("kind", "one_thread", "option"),
    [("tcg", False, "tcg"), ("tcg", True, "tcg,thread=single"), ("kvm", True, "kvm")],
)
def test_the_cpus_of_machines_side_by_side_share_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, one_thread: bool, option: str
) -> None:
    spec, _ = asked_for(tmp_path, monkeypatch, None, kind=kind, one_thread=one_thread)
    assert spec.accelerator == option
