# SPDX-License-Identifier: GPL-3.0-only
"""Points: which occurrences reach one, and which could never."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.clock import GuestTime
from harness.model.occurrence import Executed, FileChange, FileChanged, Occurrence, UnitChanged
from harness.model.point import (
    WITNESSED_FILES,
    WITNESSED_PROGRAMS,
    FileWritten,
    ProgramExecuted,
    UnitReady,
    WitnessedPoint,
    can_be_written,
    is_reached,
)
from harness.probe import execs, files, filewatch
from tests.unit.paper_guest import unit

SRC = "/var/lib/snapd/seccomp/bpf/snap.a.b.src"
NOW = GuestTime(7)


def changed(path: str, change: FileChange = FileChange.WRITTEN) -> FileChanged:
    return FileChanged(at=NOW, change=change, path=path, pid=9)


@pytest.mark.parametrize(
    ("point", "occurrence", "reached"),
    [
        (FileWritten("/var/lib/snapd/seccomp/bpf/*.src"), changed(SRC), True),
        (FileWritten("/var/lib/snapd/*.src"), changed(SRC), True),
        (FileWritten("*.bin"), changed(SRC), False),
        (FileWritten("*.src"), changed(SRC, FileChange.DELETED), False),
        (FileWritten("*.src"), Executed(at=NOW, pid=9, exe=SRC), False),
        (UnitReady("snapd.service"), UnitChanged(at=NOW, unit=unit("snapd.service", "active")), True),
        (UnitReady("snapd.service"), UnitChanged(at=NOW, unit=unit("snapd.service", "activating")), False),
        (UnitReady("snapd.service"), UnitChanged(at=NOW, unit=unit("snapd.socket", "active")), False),
        (ProgramExecuted("snap-seccomp"), Executed(at=NOW, pid=9, exe="/snap/core/x1/snap-seccomp"), True),
        (ProgramExecuted("snap"), Executed(at=NOW, pid=9, exe="/usr/lib/snapd/snapd"), False),
    ],
)  # fmt: skip
def test_what_reaches_a_point(point: WitnessedPoint, occurrence: Occurrence, reached: bool) -> None:
    assert is_reached(point, occurrence) is reached


def test_the_witness_tells_of_what_it_is_believed_to_tell() -> None:
    assert set(WITNESSED_PROGRAMS) == execs.SNAPD_PROGRAMS
    namespaces = {f"{filewatch.NAMESPACES}/*{suffix}" for suffix in filewatch.OF_NAMESPACES}
    assert set(WITNESSED_FILES) == {
        filewatch.SYSTEM_KEY,
        *namespaces,
        *(kind.pattern for kind in files.KINDS),
    }


@pytest.mark.parametrize(
    ("glob", "possible"),
    [
        ("/var/lib/snapd/system-key", True),
        ("*", True),
        ("/var/lib/snapd/*", True),
        (SRC, True),
        ("/var/lib/snapd/seccomp/bpf/snap.[ab].*.sr?", True),
        ("/var/lib/snapd/seccomp/bpf/*.sr", False),
        ("/var/lib/snapd/state.json", False),
        ("/var/lib/snapd/system-ke", False),
        ("/etc/*", False),
        ("", False),
    ],
)
def test_which_could_be_reached(glob: str, possible: bool) -> None:
    assert can_be_written(glob) is possible


@given(
    st.text(alphabet="ab/.-*?", max_size=12), st.sampled_from(WITNESSED_FILES), st.text("ab/x.", max_size=6)
)
def test_a_file_that_the_witness_tells_of_is_possible_by_whatever_glob_matches_it(
    glob: str, pattern: str, stands_for: str
) -> None:
    path = pattern.replace("*", stands_for)
    for each in (glob, path, path[:9] + "*", path.replace("s", "?")):
        if fnmatch.fnmatchcase(path, each):
            assert can_be_written(each)
