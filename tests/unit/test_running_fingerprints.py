# SPDX-License-Identifier: GPL-3.0-only
"""Fingerprints are taken when asked for, and used, never taken, by runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import engine, running_fingerprints
from harness.errors import CannotMeasure, HostLacks
from harness.image.build import Image
from harness.image.snapfile import SnapFile
from harness.lab import Lab
from harness.lab_prepared import Prepared
from harness.lab_spec import LabOptions
from harness.model.event import ArtifactUsed, FingerprintUsed
from harness.model.plan import ConnectPlug, Plan, PlannedStep, SnapRef
from harness.record import read_timeline
from harness.scenario.alone import cores_of
from tests.unit.builders import NEW, OLD, Core, fresh_revert
from tests.unit.fingerprints import IMAGE, control_boots, fingerprint

CORES = {core.name: core for core in (OLD, NEW)}
PLACE = Path("/dev/null")


def core_ref(core: Core) -> SnapRef:
    return SnapRef("core", core.name, f"core_{core.name}.snap")


def plan() -> Plan:
    return replace(fresh_revert().plan(), snaps=tuple(map(core_ref, CORES.values())))


def snap_file(core: Core) -> SnapFile:
    one = core.artifact
    return SnapFile("core", f"core_{core.name}.snap", "os", "1", PLACE, one.sha256, one.build_ids, PLACE)


class PaperLab(Lab):
    """A lab that builds nothing and whose machines never come to be."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            LabOptions(catalogue=root / "none.yaml", runs=root / "runs", cache=root / "cache"), print
        )

    def prepare(self, plan: Plan) -> Prepared:
        image = Image(IMAGE.name, IMAGE.sha256, PLACE, PLACE, PLACE, "/dev/vda", "", PLACE)
        cores = {ref.file_name: CORES[ref.entry] for ref in cores_of(plan)}
        files = {name: snap_file(core) for name, core in cores.items()}
        return Prepared(image, files, PLACE, {name: core.name for name, core in cores.items()})

    @contextmanager
    def machine(self, *_: object, **__: object) -> Iterator[Any]:
        raise CannotMeasure("cannot start a machine of paper")
        yield


@pytest.fixture
def lab(tmp_path: Path) -> PaperLab:
    return PaperLab(tmp_path)


@pytest.fixture
def carried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans of control boots, each carried out on the paper guest."""
    plans: list[Plan] = []

    def run_plan(control: Plan, *_: object) -> Path:
        plans.append(control)
        core = CORES[control.scenario.rpartition("/")[2]]
        directory = tmp_path / f"run-{len(plans)}"
        directory.mkdir()
        return control_boots(core).record(directory)

    monkeypatch.setattr(running_fingerprints, "run_plan", run_plan)
    return plans


def take(core: Core, lab: Lab) -> FingerprintUsed:
    return running_fingerprints.take_fingerprint(plan(), core_ref(core), lab, print)


def of_run(lab: Lab, wanted: Plan) -> list[FingerprintUsed]:
    return list(lab.fingerprints(wanted, lab.prepare(wanted)))


def test_one_is_taken_once_by_control_boots(lab: PaperLab, carried_out: list[Plan]) -> None:
    assert take(NEW, lab).fingerprint == fingerprint(NEW)
    assert take(NEW, lab).fingerprint == fingerprint(NEW)
    assert [one.title for one in carried_out] == ["fingerprint/2.68.3"]


def test_boots_that_cannot_be_read_are_not_kept(lab: PaperLab, tmp_path: Path) -> None:
    with pytest.raises(
        CannotMeasure, match=r"cannot take the fingerprint of core 2\.57\.6: .*machine of paper"
    ):
        take(OLD, lab)
    assert of_run(lab, plan()) == []
    assert not list((tmp_path / "cache" / "tmp").iterdir())


def test_a_run_uses_what_is_there(lab: PaperLab, carried_out: list[Plan]) -> None:
    used = take(NEW, lab)
    assert of_run(lab, plan()) == [used]
    assert of_run(lab, plan()) == [used]
    assert len(carried_out) == 1
    take(OLD, lab)
    assert [one.fingerprint.core for one in of_run(lab, plan())] == ["2.57.6", "2.68.3"]


def test_a_run_with_another_start_uses_others(lab: PaperLab, carried_out: list[Plan]) -> None:
    take(NEW, lab)
    connected = PlannedStep("0", "connect", ConnectPlug("bluez:x"), 1.0)
    assert of_run(lab, replace(plan(), steps=(connected, *plan().steps))) == []
    last = replace(plan(), steps=(*plan().steps, connected))
    assert len(of_run(lab, last)) == len(carried_out) == 1


def test_the_record_of_a_run_holds_what_was_there(lab: PaperLab, carried_out: list[Plan]) -> None:
    used = take(OLD, lab)
    timeline = read_timeline(engine.run_plan(plan(), lab, print))
    given = [r.event for r in timeline.events if isinstance(r.event, ArtifactUsed | FingerprintUsed)]
    assert given == [IMAGE, OLD.artifact, NEW.artifact, used]
    assert len(carried_out) == 1


def test_a_run_without_any_takes_none(lab: PaperLab, carried_out: list[Plan]) -> None:
    timeline = read_timeline(engine.run_plan(plan(), lab, print))
    assert not [r for r in timeline.events if isinstance(r.event, FingerprintUsed)]
    assert carried_out == []


def test_a_damaged_entry_keeps_a_run_from_beginning(
    lab: PaperLab, carried_out: list[Plan], tmp_path: Path
) -> None:
    used = take(OLD, lab)
    (tmp_path / "cache" / "fingerprints" / used.key / "fingerprint.json").write_text("{")
    with pytest.raises(HostLacks, match=used.key):
        engine.run_plan(plan(), lab, print)
    assert not (tmp_path / "runs").exists()
    assert len(carried_out) == 1
