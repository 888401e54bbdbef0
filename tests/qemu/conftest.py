# SPDX-License-Identifier: GPL-3.0-only
"""Machines that run a kernel of a few bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.qemu.command import Channel, DirectKernel, MachineSpec, Nic
from harness.qemu.versions import cpu_model_for, read_version
from tests.qemu.tiny_kernel import HALT, write_kernel

MakeSpec = Callable[..., MachineSpec]


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """Describe a machine whose kernel is the given code; by default it halts."""

    def make(*code: bytes, extra: tuple[str, ...] = (), program: str = "qemu-system-x86_64") -> MachineSpec:
        version = read_version()
        return MachineSpec(
            name="tiny",
            memory_mib=64,
            cpus=1,
            accelerator="tcg,thread=single",
            cpu_model=cpu_model_for(version, "tcg"),
            boot=DirectKernel(write_kernel(tmp_path / "kernel", *(code or (HALT,))), None, "tiny"),
            console=tmp_path / "console.log",
            nics=(
                Nic(mac="52:54:00:00:00:01", subnet="10.0.2.0/24", forward_ssh=True),
                Nic(mac="52:54:00:00:00:02", subnet="10.0.3.0/24"),
            ),
            channels=(Channel("harness.witness", tmp_path / "witness.log"),),
            program=program,
            extra=extra,
        )

    return make
