# SPDX-License-Identifier: GPL-3.0-only
"""Puts a replica of a release of snapd into a root file system.

Whoever looks at a guest knows a program by /proc/PID/exe and by its build id. So each of a replica's
programs is an ELF file with a build id of its release: the root's own Python under the program's name,
with another build id in its note. No compiler is needed, and what the programs do is Python beside them.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from harness.errors import BuildFailed, Mistake
from harness.image.digest import canonical, sha256_of, tree_digest
from harness.image.tree import SOURCE_DATE_EPOCH, Tree
from harness.model.catalogue import Replica
from harness.replica.designs import release_of
from harness.replica.release import AppArmor, Form, Release
from harness.replica.releases import RELEASES
from harness.replica.rules import UPDATE_NS

ROOT = "bullseye"
"""The suite of a replica's root: a later C library calls what the policy of 2017 kills a program for."""

PACKAGES = ("python3", "python3-yaml")
"""What the root needs besides what all cores have."""

_TOOLS = "usr/lib/snapd"
_NOTE = re.compile(rb"(\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0).{20}", re.DOTALL)
_PYTHON = re.compile(r"usr/bin/python3(\.\d+)?")
_NOT_NEEDED = re.compile(r"usr/lib/python3\.\d+/(test|idlelib|lib2to3|distutils|unittest|pydoc_data)/")
# Raised when what is made of the same programs and table changes.
_FORM = 3
# Where a service's snap may have its layouts; the root is read-only.
_DIRECTORIES = ("var/lib/NetworkManager", "var/lib/bluetooth")
# The launcher's own profile, which Ubuntu Core loads at boot. Every core's has the same name, there as here.
_PROFILE = "etc/apparmor.d/usr.lib.snapd.snap-confine"
_OF_PROFILE = "flags=(attach_disconnected) {"
# A .pyc: the magic number, the flags, and either time and size of its source, or a digest of it
# (PEP 552). With these flags nothing of the source is compared, whose time is another in a snap.
_UNCHECKED = (1).to_bytes(4, "little")


def inputs(source: Replica) -> dict[str, object]:
    """What stands for a replica in the key of what is made of it."""
    programs = _programs(source)
    table = _release(source).as_data()
    return {"release": table, "programs": tree_digest(programs), "built": built(source), "form": _FORM}


def built(source: Replica) -> int:
    """When its core says that it was made (Unix time): a second later than the release before.

    What apparmor_parser compiled before is good to it unless the text is newer.
    """
    return SOURCE_DATE_EPOCH + list(RELEASES).index(source.release)


def put_into_core(tree: Tree, source: Replica) -> None:
    """Add the programs to a core's root, which has Python.

    :raise BuildFailed: it has none, or one without a build id.
    """
    tree.remove(lambda name: bool(_NOT_NEEDED.match(name)))
    for name in [name for name in tree.entries if name.endswith(".pyc")]:
        entry, data = tree.entries[name]
        tree.entries[name] = (entry, data[:4] + _UNCHECKED + data[8:])
    for directory in _DIRECTORIES:
        tree.directory(directory)
    tree.file(_PROFILE, launcher_profile(_release(source).apparmor).encode())
    put_programs(tree, tree, source)


def launcher_profile(apparmor: AppArmor) -> str:
    """The text of the launcher's own profile, for the launcher of whichever core."""
    child = [f"profile {UPDATE_NS} {_OF_PROFILE}", *apparmor.launcher_child, "}"]
    rules = [*apparmor.launcher, *(child if apparmor.launcher_child else ())]
    lines = [f"/snap/core/*/{_TOOLS}/snap-confine {_OF_PROFILE}", *(f"  {rule}" for rule in rules), "}"]
    return "".join(f"{line}\n" for line in lines)


def put_programs(tree: Tree, root: Tree, source: Replica) -> None:
    """Add the programs, made of the Python in `root`, to a tree.

    :raise BuildFailed: there is no Python, or one without a build id.
    """
    release, programs = _release(source), _programs(source)
    interpreter, python = _python(root)
    for path in _executables(release):
        tree.file(path, with_build_id(python, _build_id(release, programs, path, python)), 0o755)
    for file in sorted((programs / "programs").glob("*.py")):
        tree.file(f"{_TOOLS}/replica/{file.name}", file.read_bytes())
    tree.file(f"{_TOOLS}/replica/release.json", json.dumps(release.as_data(), indent=1).encode())
    tree.file(f"{_TOOLS}/info", f"VERSION={release.name}+replica\n".encode())
    hook = (programs / "sitecustomize.py").read_bytes()
    library = f"usr/lib/{interpreter}"
    tree.remove(lambda name: name.startswith(f"{library}/") and "sitecustomize." in name)
    tree.file(f"{library}/sitecustomize.py", hook)


def is_python(name: str) -> bool:
    """Whether a path is Python's, for reading only that of a root."""
    return bool(_PYTHON.fullmatch(name))


def with_build_id(program: bytes, build_id: bytes) -> bytes:
    """The ELF file with other 20 bytes as its GNU build id.

    :raise BuildFailed: it has none.
    """
    changed, places = _NOTE.subn(lambda found: found[1] + build_id, program, count=1)
    if not places:
        raise BuildFailed("cannot make a replica: the root's Python has no build id")
    return changed


def _executables(release: Release) -> list[str]:
    tools = ["snapd", "snap-confine", "snap-exec"]
    tools += ["snap-seccomp"] if release.seccomp.form == Form.BPF else []
    tools += ["snap-update-ns"] if release.mounts.by_update_ns else []
    return ["usr/bin/snap", *(f"{_TOOLS}/{tool}" for tool in tools)]


def _build_id(release: Release, programs: Path, path: str, python: bytes) -> bytes:
    """Ends with the text `replica VERSION`; its first digits, which are shown, differ as programs do."""
    sources = {file.name: sha256_of(file) for file in (programs / "programs").glob("*.py")}
    made_of = [release.as_data(), sources, path, hashlib.sha256(python).hexdigest()]
    words = f"replica {release.name}".encode()
    return hashlib.sha1(canonical(made_of), usedforsecurity=False).digest()[: 20 - len(words)] + words


def _python(root: Tree) -> tuple[str, bytes]:
    """The name of the root's Python, such as `python3.9`, and its content."""
    names = [name.rpartition("/")[2] for name in root.entries if _PYTHON.fullmatch(name)]
    versioned = sorted(name for name in names if "." in name)
    if not versioned:
        raise BuildFailed("cannot make a replica: the root has no Python")
    return versioned[0], root.read(f"usr/bin/{versioned[0]}")


def _release(source: Replica) -> Release:
    return release_of(source.release, source.design)


def _programs(source: Replica) -> Path:
    programs = Path(source.programs)
    if not (programs / "sitecustomize.py").is_file():
        raise Mistake(f"cannot make a replica: {programs} has no sitecustomize.py")
    return programs
