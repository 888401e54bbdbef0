# SPDX-License-Identifier: GPL-3.0-only
"""A program for the tests: a root file system with cores of replicas, in mount namespaces of its own.

Reads acts, a list in JSON, from its input and writes what came of each to its output. Cores are put
together as harness.image does it, of the Python that runs this, so that programs are executed by their names.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
PROGRAMS = HERE.parents[2] / "images" / "replica"
PYTHON = os.path.realpath(sys.executable)
CURRENT = "/snap/core/current"
OWN = ("/snap", "/run", "/var/lib/snapd")
NAMES = ("snapd", "snap-confine", "snap-seccomp", "snap-update-ns", "python")
MS_BIND_REC, MS_PRIVATE_REC, PIVOT_ROOT = 0x5000, 0x44000, 155
CODE = """
import sys; sys.path.insert(0, sys.argv[1])
import era, policy, store
state = store.State()
table = era.own()
policy.remake(table, state, state.apps(), sys.argv[2:] or table.daemon.regenerates)
"""

libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    if libc.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def mirror(path: str, root: str) -> None:
    """The host's directory in the new root, except for what is the stage's own."""
    target = f"{root}{path}"
    if path in OWN:
        Path(target).mkdir()
    elif Path(path).is_symlink():
        Path(target).symlink_to(Path(path).readlink())
    elif any(own.startswith(f"{path}/") for own in OWN):
        Path(target).mkdir()
        for inner in Path(path).iterdir():
            mirror(str(inner), root)
    elif Path(path).is_dir():
        Path(target).mkdir()
        mount(path, target, None, MS_BIND_REC)


def enter() -> None:
    """Make a root of the host's directories, without the host's snapd."""
    mount("none", "/", None, MS_PRIVATE_REC)
    root = "/mnt"  # a directory that hosts have; its content is hidden below
    mount("none", root, "tmpfs", 0)
    for path in Path("/").iterdir():
        if str(path) != root:
            mirror(str(path), root)
    for own in (*OWN, "/old"):
        Path(f"{root}{own}").mkdir(parents=True, exist_ok=True)
    os.chdir(root)
    if libc.syscall(PIVOT_ROOT, b".", b"old"):
        raise OSError(ctypes.get_errno(), "pivot_root")
    os.chdir("/")
    libc.umount2(b"/old", 2)
    shutil.copy(PYTHON, "/snap/python")


def payload(calls: Sequence[Sequence[int]]) -> bytes:
    """A program without a C library, which makes these system calls and ends with 0 (x86-64, elf(5))."""
    code = b""
    for number, *arguments in (*calls, (231, 0)):
        for load, value in zip((b"\xbf", b"\xbe", b"\xba"), arguments, strict=False):
            code += load + struct.pack("<I", value)
        code += b"\xb8" + struct.pack("<I", number) + b"\x0f\x05"
    base, head = 0x400000, 64 + 56
    size = head + len(code)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return ident + elf + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + code


def environment() -> dict[str, str]:
    """Python finds its library by the name it is called by, which here is another's."""
    return {
        "PYTHONHOME": sys.base_prefix,
        "PYTHONPATH": str(PROGRAMS),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": os.environ["PATH"],
    }


def act_core(revision: str, release: dict[str, Any]) -> None:
    root = Path(f"/snap/core/{revision}")
    tools = root / "usr/lib/snapd"
    for name in ("dev", "proc", "tmp", "run", "var/lib/snapd", "target"):
        (root / name).mkdir(parents=True)
    shutil.copytree(PROGRAMS / "programs", tools / "replica", ignore=shutil.ignore_patterns("__pycache__"))
    (tools / "replica/release.json").write_text(json.dumps(release))
    for name in NAMES:
        (tools / name).hardlink_to("/snap/python")


def act_current(revision: str) -> None:
    Path(CURRENT).unlink(missing_ok=True)
    Path(CURRENT).symlink_to(revision)


def act_snap(name: str, plugs: Sequence[str], slots: Sequence[str], layout: str = "") -> None:
    """A snap with one app of its name, whose plugs are connected."""
    app = {"command": "x", "daemon": "simple", "plugs": list(plugs), "slots": list(slots)}
    meta = {
        "name": name,
        "version": "1",
        "type": "app",
        "apps": {name: app},
        "environment": {},
        "layout": {"/target": {"bind": layout}} if layout else {},
        "plugs": {each: each for each in plugs},
        "slots": {each: each for each in slots},
    }
    where = Path("/var/lib/snapd/replica")
    where.mkdir(exist_ok=True)
    (where / f"{name}_x1.json").write_text(json.dumps(meta))
    path = Path("/var/lib/snapd/state.json")
    state = json.loads(path.read_text()) if path.exists() else {"snaps": {}, "connections": []}
    state["snaps"][name] = {"current": "x1", "sequence": ["x1"]}
    state["connections"] += [f"{name}:{plug}" for plug in plugs]
    path.write_text(json.dumps(state))


def act_snapd(backends: Sequence[str] = ()) -> dict[str, Any]:
    """What the snapd of the current core makes anew when it starts."""
    tools = os.path.realpath(f"{CURRENT}/usr/lib/snapd")
    return run([f"{tools}/python", "-c", CODE, f"{tools}/replica", *backends], {})


def act_boot() -> None:
    """What does not outlive a boot is gone."""
    for path in Path("/run").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def act_launch(
    tag: str, calls: Sequence[Sequence[int]] = (), env: dict[str, str] | None = None
) -> dict[str, Any]:
    """By executing the launcher, as systemd would have it executed."""
    tools = _with_payload(calls)
    return run([f"{tools}/snap-confine", tag, "/usr/lib/snapd/snap-exec", "x"], env or {})


def act_launches(cores: Sequence[str], tags: Sequence[str], env: dict[str, str]) -> list[dict[str, Any]]:
    """Each of these cores' launchers for each of these tags, at once and in forks of this process."""
    os.environ.update(env)
    children = [_fork(core, tag) for core in cores for tag in tags]
    return [_waited(*child) for child in children]


def _fork(core: str, tag: str) -> tuple[int, Path, float]:
    tools, words = _with_payload((), f"/snap/core/{core}"), Path(f"/snap/words-{core}-{tag}")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.path.insert(0, str(PROGRAMS / "programs"))
        era, main = importlib.import_module("era"), importlib.import_module("snap_confine_main")
        era.HERE = f"{tools}/replica"
        main.CORE = f"/snap/core/{core}"
        try:
            main.main([tag, "/usr/lib/snapd/snap-exec", "x"])
        except SystemExit as end:
            sys.stderr.flush()
            os._exit(int(str(end.code)))
    return child, words, began


def _waited(child: int, words: Path, began: float) -> dict[str, Any]:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"status": status, "stderr": words.read_text(), "seconds": time.monotonic() - began}


def _with_payload(calls: Sequence[Sequence[int]], core: str = CURRENT) -> str:
    tools = os.path.realpath(f"{core}/usr/lib/snapd")
    program = Path(tools, "snap-exec")
    program.unlink(missing_ok=True)  # one that runs cannot be written to
    program.write_bytes(payload(calls))
    program.chmod(0o755)
    return tools


def act_write(path: str, content: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)


def act_read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def act_link(path: str, target: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).symlink_to(target)


def act_remove(path: str) -> None:
    Path(path).unlink()


def run(command: Sequence[str], env: dict[str, str]) -> dict[str, Any]:
    began = time.monotonic()
    done = subprocess.run(
        command, env={**environment(), **env}, capture_output=True, text=True, check=False, cwd="/"
    )
    return {"status": done.returncode, "stderr": done.stderr, "seconds": time.monotonic() - began}


ACTS: dict[str, Callable[..., Any]] = {
    name.removeprefix("act_"): value for name, value in list(globals().items()) if name.startswith("act_")
}


def main() -> None:
    enter()
    json.dump([ACTS[name](**arguments) for name, arguments in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
