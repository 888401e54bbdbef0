# SPDX-License-Identifier: GPL-3.0-only
"""`harness doctor` on hosts that lack something."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import doctor
from harness.cli.program import main


def test_a_host_without_qemu_cannot_run_scenarios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--cache", str(tmp_path), "--qemu", str(tmp_path / "qemu")]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("lacks  qemu ")]
    assert [
        line for line in lines if line.startswith("note   accelerator") and "no image is built yet" in line
    ]


def test_every_respect_is_spoken_of(tmp_path: Path) -> None:
    about = {said.about for said in doctor.examine(tmp_path, "qemu-system-x86_64")}
    assert about >= {"programs", "qemu", "cpu", "accelerator", "disk", "memory", "steal", "user namespaces"}


def test_a_cache_directory_need_not_be_there_yet(tmp_path: Path) -> None:
    said = next(each for each in doctor.examine(tmp_path / "not" / "yet", "qemu") if each.about == "disk")
    assert "MiB free" in said.text
