# SPDX-License-Identifier: GPL-3.0-only
"""Waiting for a change, through a snapd that comes and goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.probe import waiting


def change(status: str, *, ready: bool = False, **more: Any) -> bytes:
    return json.dumps(
        {"type": "sync", "result": {"status": status, "summary": "s", "ready": ready, **more}}
    ).encode()


def asking(*answers: bytes | OSError) -> Any:
    left: Iterator[bytes | OSError] = iter(answers)

    def ask(path: str) -> bytes:
        assert path == "/v2/changes/7"
        answer = next(left)
        if isinstance(answer, OSError):
            raise answer
        return answer

    return ask


def wait(*answers: bytes | OSError, seconds: float = 60.0) -> dict[str, Any]:
    return waiting.await_change("7", seconds, asking(*answers), lambda _: None)


def test_it_waits_through_a_daemon_that_restarts() -> None:
    gone = ConnectionRefusedError(111, "Connection refused")
    seen = wait(
        change("Doing"), gone, b"", b"{", b'{"type": "sync", "result": null}', change("Done", ready=True)
    )
    assert seen == {"status": "Done", "summary": "s", "err": "", "ready": True}


def test_a_failed_change_is_told_with_its_error() -> None:
    assert wait(change("Error", ready=True, err="no room"))["err"] == "no room"


def test_the_end_of_the_time_tells_how_far_it_came() -> None:
    assert wait(change("Doing"), seconds=0.0) == {
        "status": "Doing",
        "summary": "s",
        "err": "",
        "ready": False,
    }
    assert "refused" in wait(ConnectionRefusedError(111, "refused"), seconds=0.0)["err"]


def test_a_change_that_snapd_does_not_know_is_not_waited_for() -> None:
    unknown = {"type": "error", "status-code": 404, "result": {"message": "cannot find change"}}
    assert wait(json.dumps(unknown).encode())["err"] == "snapd says: cannot find change"


def test_any_other_error_of_snapds_may_pass() -> None:
    busy = {"type": "error", "status-code": 500, "result": {"message": "system is in maintenance mode"}}
    assert wait(json.dumps(busy).encode(), change("Done", ready=True))["status"] == "Done"
