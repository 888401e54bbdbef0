# SPDX-License-Identifier: GPL-3.0-only
"""What of a repetition's differences reaches the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import lab as lab_module
from harness.host.rundir import new_run
from harness.image.build import Image
from harness.lab import Lab, Prepared
from harness.lab_spec import LabOptions
from harness.model.clock import HostTime
from harness.model.repeat import Perturbation
from harness.qemu.accel import Accelerator
from harness.qemu.command import DirectKernel, MachineSpec
from harness.record_writing import Recorder


class NotStartedError(Exception):
    """Carries what would have been started."""

    def __init__(self, spec: MachineSpec) -> None:
        super().__init__()
        self.spec = spec


def asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, perturbation: Perturbation | None
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
    monkeypatch.setattr(Lab, "_accelerator", lambda *_: Accelerator("tcg", "tcg", "max", 1.0, "told"))
    lab = Lab(LabOptions(catalogue=tmp_path / "c", runs=tmp_path, append="theirs", cpus=2), print)
    prepared = Prepared(image, {}, tmp_path / "payload")
    with (
        new_run(tmp_path, "r") as directory,
        Recorder(directory.path, lambda: HostTime(0)) as record,
        pytest.raises(NotStartedError) as caught,
        lab.machine(prepared, directory, record, perturbation),
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
