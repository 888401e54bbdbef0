# SPDX-License-Identifier: GPL-3.0-only
"""Waits for a change of snapd in the guest, for commands over ssh: one JSON object on the standard output."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from . import daemon
from .wire import JSON

PAUSE = 0.3

Ask = Callable[[str], bytes]


def main(arguments: list[str]) -> None:
    """`change ID SECONDS` tells of a change when it is done or time is over, `changes` of those under way."""
    match arguments:
        case ["change", change, seconds]:
            answer = await_change(change, float(seconds))
        case ["changes"]:
            answer = {"changes": daemon.changes_under_way()}
        case _:
            raise SystemExit("usage: change ID SECONDS | changes")
    print(json.dumps(answer))


def await_change(
    change: str, seconds: float, ask: Ask = daemon.ask, pause: Callable[[float], None] = time.sleep
) -> JSON:
    """The change's `status`, `summary` and `err`; snapd may be away for any part of the time."""
    ends = time.monotonic() + seconds
    while True:
        seen = _read(change, ask)
        if seen["ready"] or time.monotonic() >= ends:
            return seen
        pause(PAUSE)


def _read(change: str, ask: Ask) -> JSON:
    try:
        answer = json.loads(ask(f"/v2/changes/{change}"))
        found = answer["result"]
        if answer["type"] == "error":
            return _unknown(f"snapd says: {found['message']}", ready=answer.get("status-code") == 404)
        return {key: found.get(key, "") for key in ("status", "summary", "err")} | {"ready": found["ready"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return _unknown(f"snapd does not answer: {error}", ready=False)


def _unknown(why: str, *, ready: bool) -> JSON:
    return {"status": "unknown", "summary": "", "err": why, "ready": ready}
