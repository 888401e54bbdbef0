# SPDX-License-Identifier: GPL-3.0-only
"""A recording of paper, and the labs of a call that sweeps over it and of one that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.sweep import Recording
from tests.unit.paper_sweep import PaperLab, four_states, without_qemu


@pytest.fixture(autouse=True)
def _no_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    without_qemu(monkeypatch)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return four_states(tmp_path / "made")


@pytest.fixture
def lab(tmp_path: Path, recording: Recording) -> PaperLab:
    return PaperLab(tmp_path, recording)


@pytest.fixture
def again(tmp_path: Path, recording: Recording) -> PaperLab:
    """The lab of the call that goes on."""
    return PaperLab(tmp_path, recording)
