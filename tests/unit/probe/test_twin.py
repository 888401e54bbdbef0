# SPDX-License-Identifier: GPL-3.0-only
"""A twin is started, read once it is past the launcher, and gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from harness.model import codec
from harness.model.observation import TwinSeen
from harness.probe.twin import read_twin

TAG = "snap.bluez.bluez"


def test_a_twin_is_read_and_ends() -> None:
    seen: TwinSeen = codec.loads(TwinSeen, json.dumps(read_twin(TAG, ["bash", "-c"])))
    assert seen.problem == ""
    assert seen.process is not None
    assert seen.process.exe.endswith("bash")
    assert not Path(f"/proc/{seen.process.pid}").exists()


@pytest.fixture
def snap(tmp_path: Path) -> str:
    """A shell whose executable is called as the client is."""
    return os.fspath(shutil.copy("/bin/bash", tmp_path / "snap"))


def test_a_twin_is_read_only_when_it_is_past_the_launcher(snap: str) -> None:
    seen = read_twin(TAG, [snap, "-c", 'exec bash -c "$0"'])
    assert seen["process"]["exe"].endswith("bash")


def test_a_launcher_that_gives_up_is_told_in_its_own_words(snap: str) -> None:
    seen = read_twin(TAG, [snap, "-c", "echo cannot change profile >&2; exit 1"])
    assert seen == {
        "tag": TAG,
        "process": None,
        "problem": "the twin ended with status 1: cannot change profile",
    }


def test_a_guest_without_snap_is_told(tmp_path: Path) -> None:
    seen = read_twin(TAG, [os.fspath(tmp_path / "snap")])
    assert seen["process"] is None
    assert "cannot start a twin" in seen["problem"]
