# SPDX-License-Identifier: GPL-3.0-only
"""Starts a shell under a service's security tag, by the launcher that would start the service now.

`snap run --shell` goes the whole way of a service (snap, snap-confine, snap-exec), and then executes
/bin/bash of the base instead of the service's program. The shell waits for a line that never comes, with
what the shell has built in: so policy of any kind lets it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator

from . import processes
from .wire import JSON

Pause = Callable[[float], None]

SECONDS = 30.0
PAUSE = 0.05
# What snap-exec executes for `--command=shell` (snapd, cmd/snap-exec). Nothing before it is called so: not
# this program, which a new process still is for a moment, nor the client, which in snapd 2.77 is snapd.
SHELL = "bash"
LONGEST_WORDS = 2000
WAIT_FOR_A_LINE = "read -r line"


def read_twins(tags: Iterable[str], pause: Pause = time.sleep) -> list[JSON]:
    """A twin of each service, one after the other, as `twin-seen` (WIRE.md); `pause` is how to wait."""
    return [
        read_twin(tag, ["snap", "run", "--shell", tag.removeprefix("snap."), "-c"], pause) for tag in tags
    ]


def read_twin(tag: str, launcher: list[str], pause: Pause = time.sleep) -> JSON:
    """Start one, read its confinement and let it end; nothing raises."""
    try:
        with _started(launcher) as process:
            return {"tag": tag, **_read(process, pause)}
    except OSError as error:
        return {"tag": tag, "process": None, "problem": f"cannot start a twin: {error.strerror}"}


@contextlib.contextmanager
def _started(launcher: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [*launcher, WAIT_FOR_A_LINE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _read(process: subprocess.Popen[bytes], pause: Pause) -> JSON:
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            return {
                "process": None,
                "problem": f"the twin ended with status {process.returncode}: {_words(process)}",
            }
        if os.path.basename(processes.exe_of(process.pid)) == SHELL:
            seen = processes.read_process(process.pid, process.pid)
            return {"process": {"type": "process-seen", **seen} if seen else None, "problem": ""}
        pause(PAUSE)
    return {"process": None, "problem": f"the twin was still in {processes.exe_of(process.pid)}"}


def _words(process: subprocess.Popen[bytes]) -> str:
    said = process.stderr.read(LONGEST_WORDS) if process.stderr else b""
    return said.decode("utf-8", "backslashreplace").strip()
