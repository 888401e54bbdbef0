# SPDX-License-Identifier: GPL-3.0-only
"""Reads from the journal what the processes of a service that are gone said last.

A launcher that dies says why to nobody but the journal, which in many guests does not outlive the boot.
"""

from __future__ import annotations

import json
import subprocess

from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

JOURNAL = ("journalctl", "--boot", "--quiet", "--no-pager", "--output=json")
SECONDS = 60.0
# A launcher says one line or two, a service may say anything.
LINES_OF_ONE = 3
PROCESSES_OF_ONE = 20
LONGEST_LINE = 400


def read_words(services: Sequence[JSON], journal: Sequence[str] = JOURNAL) -> list[JSON]:
    """The last lines of each process of these services that is gone, as `words-seen` (WIRE.md).

    Empty when there is no journal to be read; nothing raises.
    """
    units = [f"_SYSTEMD_UNIT={service['unit']['name']}" for service in services]
    try:
        done = subprocess.run([*journal, *units], capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return []
    alive = {process["pid"] for service in services for process in service["processes"]}
    tags = {service["unit"]["name"]: service["tag"] for service in services}
    return _last(_words(done.stdout.splitlines(), tags, alive))


def _words(lines: Iterable[bytes], tags: dict[str, str], alive: set[int]) -> list[JSON]:
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
            pid, tag = int(entry["_PID"]), tags[entry["_SYSTEMD_UNIT"]]
            at = int(entry["__MONOTONIC_TIMESTAMP"]) * 1000
            text = _text(entry["MESSAGE"])
        except (ValueError, KeyError, TypeError):
            continue
        if pid not in alive:
            found.append({"tag": tag, "pid": pid, "at": at, "text": text[:LONGEST_LINE]})
    return found


def _text(message: object) -> str:
    """journalctl gives what is no text as a list of bytes."""
    if isinstance(message, list):
        return bytes(message).decode("utf-8", "backslashreplace")
    if not isinstance(message, str):
        raise TypeError("neither text nor bytes")
    return message


def _last(words: list[JSON]) -> list[JSON]:
    """Those of the last processes of each service, and of each the last lines."""
    by_process: dict[tuple[str, int], list[JSON]] = {}
    for one in words:
        by_process.setdefault((one["tag"], one["pid"]), []).append(one)
    kept: dict[str, list[list[JSON]]] = {}
    for (tag, _), said in by_process.items():
        kept.setdefault(tag, []).append(said[-LINES_OF_ONE:])
    return [one for said in kept.values() for lines in said[-PROCESSES_OF_ONE:] for one in lines]
