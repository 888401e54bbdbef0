# SPDX-License-Identifier: GPL-3.0-only
"""Reads which snapd runs, what its system-key says, and what changes it has under way."""

from __future__ import annotations

import json
import os
import socket

from . import elf, processes
from .files import SYSTEM_KEY
from .sha256 import hex_of
from .wire import JSON, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

EXECUTABLE = "/usr/lib/snapd/snapd"
TOOLS = ("snap-seccomp", "snap-confine", "snap-exec", "snap-update-ns")
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
    digest = hex_of(raw)
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
    """The body of snapd's answer to a GET. Raises OSError when none comes, ValueError when it is cut short.

    The answer says itself where it ends: on a kernel as new as 6.12, snapd 2.49 answers and then leaves the
    connection open, also one that was to be closed.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(API_SECONDS)
        connection.connect(api)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            return _body(answer)


def _body(answer: BinaryIO) -> bytes:
    """In one piece, in chunks, or all there is until the end (RFC 9112, section 6.3)."""
    answer.readline()
    headers = dict(_headers(answer))
    if headers.get("transfer-encoding") == "chunked":
        return b"".join(_chunks(answer))
    if "content-length" not in headers:
        return answer.read()
    return _exactly(answer, int(headers["content-length"]))


def _headers(answer: BinaryIO) -> Iterator[tuple[str, str]]:
    while line := answer.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        yield name.lower(), value.strip().lower()


def _chunks(answer: BinaryIO) -> Iterator[bytes]:
    while size := int(answer.readline().partition(b";")[0], 16):
        yield _exactly(answer, size)
        answer.readline()


def _exactly(answer: BinaryIO, size: int) -> bytes:
    read = answer.read(size)
    if len(read) < size:
        raise ValueError(f"the answer ends after {len(read)} of {size} bytes")
    return read


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
