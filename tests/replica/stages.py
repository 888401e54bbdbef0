# SPDX-License-Identifier: GPL-3.0-only
"""Plays acts on a stage (stage.py), as root or in a user namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.replica.designs import release_of

STAGE = Path(__file__).parent / "stage.py"
_NAMESPACES = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]

Act = tuple[str, dict[str, Any]]

NETLINK_SOCKET = [41, 16, 3]  # socket(AF_NETLINK, SOCK_RAW, …), of which a test gives the protocol
MAKE_REGULAR_FILE = [133, 0, 0o100644]  # mknod of no path at all: refused by the kernel, if it comes that far
PUSH_TO_TERMINAL = [16, 0, 0x5412]  # ioctl(…, TIOCSTI, …)

SNAPS: dict[str, dict[str, list[str]]] = {
    "plain": {"plugs": [], "slots": []},
    "net": {"plugs": ["network"], "slots": []},
    "bluez": {"plugs": [], "slots": ["bluez"]},
}
KILLED = -31  # SIGSYS


@dataclass(frozen=True, slots=True)
class Launched:
    """How a launch came out."""

    status: int
    stderr: str
    seconds: float

    @property
    def cell(self) -> str:
        """For tables: `ok`, or what it said, without what is in the title of the row."""
        if self.status == 0:
            return "ok"
        words = self.stderr.split()
        return words[3].rstrip(":") if words[0] == "hsearch_r" else " ".join(words[:2])


def core(revision: str, release: str, design: str = "") -> Act:
    """A core with the replica of a release."""
    data = json.loads(json.dumps(release_of(release, design).as_data()))
    return "core", {"revision": revision, "release": data}


def current(revision: str) -> Act:
    """Make a core the current one."""
    return "current", {"revision": revision}


def snap(name: str, layout: str = "") -> Act:
    """Install one of SNAPS, with its plugs connected."""
    return "snap", {"name": name, "layout": layout, **SNAPS[name]}


def snapd(*backends: str) -> Act:
    """The current core's snapd starts, and makes policy anew."""
    return "snapd", {"backends": list(backends)}


def launch(name: str, *calls: list[int], wait: str = "1") -> Act:
    """The current core's launcher starts a snap's app, whose program makes these system calls."""
    env = {"SNAP_CONFINE_MAX_PROFILE_WAIT": wait} if wait else {}
    return "launch", {"tag": f"snap.{name}.{name}", "calls": list(calls), "env": env}


def launch_all(*revisions: str) -> Act:
    """The launchers of these cores, each for each of SNAPS, at once."""
    tags = [f"snap.{name}.{name}" for name in SNAPS]
    env = {"SNAP_CONFINE_MAX_PROFILE_WAIT": "1"}
    return "launches", {"cores": list(revisions), "tags": tags, "env": env}


def play(*acts: Act) -> list[Any]:
    """What came of each act; a snapd must have ended well."""
    command = [*_NAMESPACES, "--", os.path.realpath(sys.executable), "-B", str(STAGE)]
    done = subprocess.run(command, input=json.dumps(acts), capture_output=True, text=True, check=False)
    if done.returncode != 0 and "unshare" in done.stderr:
        pytest.skip("no user namespaces")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    return [_result(act, result) for act, result in zip(acts, results, strict=True)]


def launches(*acts: Act) -> list[Launched]:
    """What came of the launches alone."""
    found: list[Launched] = []
    for act, result in zip(acts, play(*acts), strict=True):
        found += result if act[0] == "launches" else [result] if act[0] == "launch" else []
    return found


def _result(act: Act, result: Any) -> Any:
    if act[0] == "launch":
        return Launched(**result)
    if act[0] == "launches":
        return [Launched(**each) for each in result]
    assert act[0] != "snapd" or (result["status"], result["stderr"]) == (0, ""), result
    return result


def table(head: list[str], rows: list[list[str]]) -> str:
    """Columns for people."""
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    shown = ("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in shown)
