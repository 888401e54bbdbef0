# SPDX-License-Identifier: GPL-3.0-only
"""The trace is read whole whenever a bell has rung, and wakes nobody by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.probe import tracewatch
from harness.probe.trace import Event, Forked


class FakeTrace:
    """Has one event at each reading; notes what was done, in order."""

    execs_since, filters_since = 0, None

    def __init__(self, done: list[str]) -> None:
        self._done = done
        self.descriptors = [os.open("/dev/null", os.O_RDONLY)]

    def read(self) -> tuple[list[Event], bool]:
        self._done.append("read")
        return [Forked(1, 1, 2)], True


class FakeBell:
    """Rings on a descriptor of its own."""

    def __init__(self, done: list[str]) -> None:
        self._done = done
        self.descriptors = [os.open("/dev/null", os.O_RDONLY)]

    def silence(self) -> None:
        self._done.append("silence")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    noted: list[str] = []
    monkeypatch.setattr(tracewatch.trace, "mount", lambda: str(tmp_path))
    monkeypatch.setattr(tracewatch.trace, "Trace", lambda *_, **__: FakeTrace(noted))
    monkeypatch.setattr(tracewatch, "Bell", lambda _top: FakeBell(noted))
    return noted


def watch(tmp_path: Path) -> tracewatch.TraceWatch:
    return tracewatch.TraceWatch(lambda: 5, str(tmp_path / "taken"))


def test_the_bell_is_silenced_before_the_trace_is_read_and_what_is_missed_is_told(
    done: list[str], tmp_path: Path
) -> None:
    watching = watch(tmp_path)
    assert watching.descriptors == watching._bell.descriptors  # type: ignore[union-attr]
    said = watching.read()
    assert done == ["silence", "read"]
    assert [(one["type"], one["source"]) for one in said] == [("lost", "execs"), ("lost", "starts")]
    watching.close()


def test_where_there_is_no_bell_the_trace_itself_wakes(
    done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_top: str) -> FakeBell:
        raise OSError(38, "no instances")

    monkeypatch.setattr(tracewatch, "Bell", refuse)
    watching = watch(tmp_path)
    assert watching.descriptors == watching._trace.descriptors
    watching.read()
    assert done == ["read"]
    watching.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(watching.descriptors[0])
