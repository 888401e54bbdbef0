# SPDX-License-Identifier: GPL-3.0-only
"""Run directories: unique, locked, and refused in good time."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CannotMeasure, HostLacks
from harness.host.process import run
from harness.host.rundir import _file_name, is_locked, locked, new_run, require_free_space


def test_the_name_says_when_and_what(tmp_path: Path) -> None:
    with new_run(tmp_path / "runs", "2.57.6-2.68.3-2.57.6") as directory:
        assert re.fullmatch(r"\d{8}T\d{6}Z-2\.57\.6-2\.68\.3-2\.57\.6-1", directory.path.name)
        assert directory.console == directory.path / "console.log"
        assert directory.events.name == "events.jsonl"


def test_runs_of_one_second_do_not_meet(tmp_path: Path) -> None:
    with ExitStack() as stack:
        paths = {stack.enter_context(new_run(tmp_path, "same")).path for _ in range(20)}
    assert len(paths) == 20


def test_a_directory_is_locked_for_the_life_of_its_run(tmp_path: Path) -> None:
    with new_run(tmp_path, "x") as directory:
        assert is_locked(directory.path)
        with pytest.raises(CannotMeasure, match=r"process \d+ is using it"), locked(directory.path):
            pass
    assert not is_locked(directory.path)
    with locked(directory.path):
        assert is_locked(directory.path)


def test_a_directory_without_a_lock_file_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)


def test_the_lock_is_seen_from_another_process(tmp_path: Path) -> None:
    code = "import sys; from harness.host.rundir import *; print(is_locked(Path(sys.argv[1])))"
    with new_run(tmp_path, "x") as directory:
        assert run([sys.executable, "-c", code, directory.path]).stdout == b"True\n"


def test_an_unwritable_place_is_what_the_host_lacks(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostLacks, match="cannot make a run directory"), new_run(tmp_path / "file", "x"):
        pass


def test_free_space_is_asked_before_it_is_missed(tmp_path: Path) -> None:
    require_free_space(tmp_path, 0, what="nothing")
    with pytest.raises(HostLacks, match=r"cannot make a moon: .* MiB free, 999999999 MiB are needed"):
        require_free_space(tmp_path, 999_999_999, what="a moon")


@given(st.text())
def test_any_scenario_name_gives_one_path_component(name: str) -> None:
    component = _file_name(name)
    assert re.fullmatch(r"[A-Za-z0-9._+-]{1,80}", component)
    assert component not in {".", ".."}
