# SPDX-License-Identifier: GPL-3.0-only
"""Reads which snapd runs, what its system-key says, and what changes it has under way."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from typing import Any

from . import elf, processes

JSON = dict[str, Any]

EXECUTABLE = "/usr/lib/snapd/snapd"
TOOLS = ("snap-seccomp", "snap-confine", "snap-exec", "snap-update-ns")
SYSTEM_KEY = "/var/lib/snapd/system-key"
API_SOCKET = "/run/snapd.socket"
API_SECONDS = 20.0
# Without a store the device is never initialised: that change stays under way for good.
ENDLESS_CHANGES = ("become-operational",)


def read_snapd(main_pid: int, problems: list[str]) -> JSON | None:
    """The daemon that runs, by its main process, or by its executable when systemd knows of none."""
    others = [p for p in processes.all_pids() if p != main_pid and _is_snapd(p)]
    pids = [pid for pid in (main_pid, *others) if pid]
    if not pids:
        return None
    problems += [f"process {pid} is a second snapd: {processes.exe_of(pid)}" for pid in pids[1:]]
    try:
        return _read(pids[0])
    except OSError as error:
        problems.append(f"cannot read snapd's process {pids[0]}: {error.strerror}")
        return None


def read_system_key(problems: list[str], path: str = SYSTEM_KEY) -> JSON | None:
    """What snapd noted about the build that wrote the policy (snapd 2.32 and later)."""
    try:
        with open(path, "rb") as file:
            raw = file.read()
            changed = os.fstat(file.fileno()).st_ctime_ns
        key = json.loads(raw)
        build_id, version = str(key["build-id"]), int(key["version"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        problems.append(f"cannot read {path}: {error}")
        return None
    digest = hashlib.sha256(raw).hexdigest()
    key = {"build_id": build_id, "version": version, "sha256": digest, "changed": changed}
    return {"type": "system-key", **key}


def changes_under_way() -> list[str]:
    """The changes that snapd works on. Only to be asked of a running snapd: the socket would start it.

    Raises OSError or ValueError when it does not answer.
    """
    answer = json.loads(ask("/v2/changes?select=in-progress"))
    changes = [change for change in answer["result"] or [] if change.get("kind") not in ENDLESS_CHANGES]
    return [f"snap change {c['id']} ({c['summary']}): {c['status']}" for c in changes]


def ask(path: str, api: str = API_SOCKET) -> bytes:
    """The body of snapd's answer to a GET. HTTP/1.0, so that it comes in one piece."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(API_SECONDS)
        connection.connect(api)
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    return answer.partition(b"\r\n\r\n")[2]


def _is_snapd(pid: int) -> bool:
    return processes.exe_of(pid).removesuffix(" (deleted)").endswith(EXECUTABLE)


def _read(pid: int) -> JSON:
    exe = processes.exe_of(pid)
    beside = os.path.dirname(exe)
    paths = {tool: f"{beside}/{tool}" for tool in TOOLS}
    return {
        "type": "snapd-seen",
        "pid": pid,
        "exe": exe,
        "build_id": elf.build_id(f"/proc/{pid}/exe"),
        "started": processes.started(pid),
        "tools": {tool: elf.build_id(path) for tool, path in paths.items() if os.path.exists(path)},
    }
