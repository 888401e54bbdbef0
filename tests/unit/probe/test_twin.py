# SPDX-License-Identifier: GPL-3.0-only
"""A twin is started, read once it is past the launcher, and gone afterwards."""

from __future__ import annotations

import json
import os
from pathlib import Path

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


def test_a_twin_is_read_only_when_it_is_past_the_launcher(tmp_path: Path) -> None:
    """`snap` here is a shell by that name, which executes another after a line of the test's."""
    launcher = tmp_path / "snap"
    launcher.symlink_to("/bin/bash")
    seen = read_twin(TAG, [os.fspath(launcher), "-c", 'exec bash -c "$0"'])
    assert seen["process"]["exe"].endswith("bash")


def test_a_launcher_that_gives_up_is_told_in_its_own_words() -> None:
    seen = read_twin(TAG, ["bash", "-c", "echo cannot change profile >&2; exit 1"])
    assert seen == {
        "tag": TAG,
        "process": None,
        "problem": "the twin ended with status 1: cannot change profile",
    }


def test_a_guest_without_snap_is_told(tmp_path: Path) -> None:
    seen = read_twin(TAG, [os.fspath(tmp_path / "snap")])
    assert seen["process"] is None
    assert "cannot start a twin" in seen["problem"]
