# SPDX-License-Identifier: GPL-3.0-only
"""The house's rules, read off the sources: docs/design.md draws the layers that this file enforces."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "harness"

# From the top. An import goes to a lower row, or stays inside its own package.
LAYERS = (
    ("cli", "pytest_plugin", "harness"),
    ("planning", "running", "bench", "results"),
    ("engine", "judge", "report"),
    ("lab", "machine", "boot_watch", "registry", "fault", "sweep"),
    ("qemu", "guest", "image"),
    ("host",),
    ("scenario", "policy", "invariant", "record", "cut"),
    ("model", "errors", "replica"),
)
ROW = {package: row for row, packages in enumerate(LAYERS) for package in packages}

# Imports inside one row, each with its reason.
NEIGHBOURS = {
    ("errors", "model"): "a mistake carries the problems that were found, with their places",
    ("invariant", "policy"): "what a service runs under is compared with what a build makes",
    ("lab", "machine"): "the lab is the owner of machines",
    ("running", "results"): "a runner returns results",
    ("running", "planning"): "what ended early says by which command it goes on",
    ("bench", "planning"): "a Python test names scenario files too",
    ("lab", "boot_watch"): "the lab starts watching before it starts the machine",
    ("machine", "boot_watch"): "a machine's steps wait for its boots",
    ("lab", "fault"): "a lab hands its machines the faults of the plan",
    ("machine", "fault"): "a fault is done to a machine",
    ("lab", "sweep"): "a lab keeps what a sweep needs of a machine's disk",
    ("machine", "sweep"): "a machine tells how much its disk's log has",
}

# A module of the outside world, and the only files that may import it.
DOORS = {
    "subprocess": {"host/process.py"},
    "asyncio": {"host/loop.py", "qemu/monitor.py"},
    "qemu.qmp.legacy": set(),
}
SLEEPERS = {"host/deadline.py"}

PURE = ("scenario", "policy", "invariant", "cut", "model", "errors", "report", "record", "replica")
READS_ITS_FILES = {"scenario/source.py"}
OUTSIDE = {
    "os",
    "socket",
    "subprocess",
    "shutil",
    "tempfile",
    "time",
    "random",
    "threading",
    "paramiko",
    "qemu",
}
FILE_CALLS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir"}

BAGS = {"utils", "util", "helpers", "common", "base", "misc"}
LONGEST = 350
HEADER = "# SPDX-License-Identifier: GPL-3.0-only"


def package_of(relative: str) -> str:
    """The row's word for a file: ``host/process.py`` -> host, ``judge.py`` -> judge."""
    first = Path(relative).parts[0].removesuffix(".py")
    return "harness" if first == "__init__" else word_of(first)


def word_of(module: str) -> str:
    """A module at the top that is split in two keeps its word: ``machine_boots`` -> machine."""
    return module if module in ROW or module == "probe" else module.partition("_")[0]


def imports(relative: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every imported name with its line, `if TYPE_CHECKING` and function bodies included."""
    here = ["harness", *Path(relative).with_suffix("").parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = ".".join(here[: -node.level]) if node.level else ""
            module = ".".join(part for part in (origin, node.module or "") if part)
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def is_allowed(importer: str, imported: str) -> bool:
    same = importer == imported or (importer, imported) in NEIGHBOURS
    return same or ROW[importer] < ROW[imported]


def layer_problems(relative: str, tree: ast.AST) -> Iterator[str]:
    importer = package_of(relative)
    if importer == "probe":
        yield from probe_problems(relative, tree)
        return
    for line, name in imports(relative, tree):
        if name.split(".")[0] != "harness":
            continue
        imported = word_of(name.split(".")[1]) if "." in name else "harness"
        if importer not in ROW or (imported not in ROW and imported != "probe"):
            yield f"{relative}:{line}: {importer} or {imported} has no layer yet"
        elif imported == "probe" or not is_allowed(importer, imported):
            yield f"{relative}:{line}: {importer} must not import {imported}"


def probe_problems(relative: str, tree: ast.AST) -> Iterator[str]:
    for line, name in imports(relative, tree):
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("harness.probe."):
            yield f"{relative}:{line}: the probe runs in the guest and must not import {name}"


def door_problems(relative: str, tree: ast.AST) -> Iterator[str]:
    if package_of(relative) == "probe":
        return
    for line, name in imports(relative, tree):
        for door, keepers in DOORS.items():
            if f"{name}.".startswith(f"{door}.") and relative not in keepers:
                yield f"{relative}:{line}: only {sorted(keepers)} may import {door}"
    for node in ast.walk(tree):
        if is_sleep(node) and relative not in SLEEPERS:
            yield f"{relative}:{node.lineno}: only {sorted(SLEEPERS)} may sleep"


def is_sleep(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "sleep" and ast.unparse(node.value) == "time"


def purity_problems(relative: str, tree: ast.AST) -> Iterator[str]:
    package = package_of(relative)
    if package not in PURE or relative in READS_ITS_FILES or package == "record":
        return
    for line, name in imports(relative, tree):
        if name.split(".")[0] in OUTSIDE:
            yield f"{relative}:{line}: {package} is pure and must not import {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in FILE_CALLS:
            yield f"{relative}:{node.lineno}: {package} is pure and must not call {called(node)}"


def called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


def shape_problems(relative: str, text: str) -> Iterator[str]:
    lines = text.splitlines()
    if not lines or lines[0] != HEADER:
        yield f"{relative}:1: the first line must be {HEADER}"
    if len(lines) > LONGEST:
        yield f"{relative}: {len(lines)} lines; more than {LONGEST} are two ideas"
    if BAGS & {part.removesuffix(".py") for part in Path(relative).parts}:
        yield f"{relative}: a bag is not a name"


def problems(relative: str, text: str) -> list[str]:
    """Everything that is wrong with one file of the harness."""
    tree = ast.parse(text)
    return [
        *shape_problems(relative, text),
        *layer_problems(relative, tree),
        *door_problems(relative, tree),
        *purity_problems(relative, tree),
    ]


def sources(top: Path) -> list[Path]:
    return sorted(path for path in top.rglob("*.py") if "__pycache__" not in path.parts)


@pytest.mark.parametrize("path", sources(HARNESS), ids=lambda path: str(path.relative_to(HARNESS)))
def test_every_file_keeps_the_rules(path: Path) -> None:
    assert problems(path.relative_to(HARNESS).as_posix(), path.read_text()) == []


@pytest.mark.parametrize("top", ["tests", "ci"])
def test_what_surrounds_the_harness_keeps_its_shape(top: str) -> None:
    found = [
        problem
        for path in sources(ROOT / top)
        for problem in shape_problems(path.relative_to(ROOT).as_posix(), path.read_text())
    ]
    assert found == []


def test_what_the_quick_part_leaves_out_is_in_the_whole() -> None:
    left_out = set(re.findall(r"--ignore (tests/\w+)", (ROOT / "ci/check").read_text()))
    closing = (ROOT / "ci/test").read_text().rpartition("exec .venv/bin/pytest")[2]
    assert left_out == set(re.findall(r"tests/\w+", closing))


def test_initialisers_only_re_export() -> None:
    allowed = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign)
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in HARNESS.rglob("__init__.py")
        for node in ast.parse(path.read_text()).body
        if not isinstance(node, allowed)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("relative", "line", "complaint"),
    [
        ("judge.py", "import harness.engine", "judge must not import engine"),
        ("report/text.py", "from harness.engine import run_plan", "report must not import engine"),
        ("qemu/disk.py", "from harness.guest import ssh", "qemu must not import guest"),
        ("guest/ssh.py", "if True:\n    from harness import qemu", "guest must not import qemu"),
        ("host/loop.py", "def f():\n    from harness.lab import Lab", "host must not import lab"),
        ("model/plan.py", "from ..scenario import compile", "model must not import scenario"),
        ("model/plan.py", "from harness.probe import agent", "model must not import probe"),
        ("newcomer.py", "from harness import errors", "has no layer yet"),
        ("probe/agent.py", "from harness import errors", "the probe runs in the guest"),
        ("probe/agent.py", "import yaml", "the probe runs in the guest"),
        ("image/build.py", "import subprocess", "may import subprocess"),
        ("guest/ssh.py", "from subprocess import run", "may import subprocess"),
        ("engine.py", "import asyncio.subprocess", "may import asyncio"),
        ("qemu/monitor.py", "from qemu.qmp import legacy", "may import qemu.qmp.legacy"),
        ("guest/ssh.py", "import time\ntime.sleep(1)", "may sleep"),
        ("policy/seccomp.py", "import os", "policy is pure"),
        ("invariant/console.py", "open('x')", "must not call open"),
        ("scenario/compile.py", "path.read_text()", "must not call read_text"),
        ("host/utils.py", "", "a bag is not a name"),
        ("host/loop.py", "x = 1\n" * LONGEST, "are two ideas"),
    ],
)
def test_a_broken_rule_is_seen(relative: str, line: str, complaint: str) -> None:
    assert complaint in "\n".join(problems(relative, f"{HEADER}\n{line}\n"))


def test_a_missing_licence_line_is_seen() -> None:
    assert problems("host/loop.py", '"""Words."""\n') == [f"host/loop.py:1: the first line must be {HEADER}"]


@pytest.mark.parametrize(
    ("relative", "line"),
    [
        ("judge.py", "from harness.model.verdict import Verdict"),
        ("engine.py", "from harness.lab import Lab"),
        ("lab.py", "from harness.machine import Machine"),
        ("host/process.py", "import subprocess"),
        ("probe/agent.py", "import subprocess, time\ntime.sleep(1)"),
        ("probe/agent.py", "from harness.probe import look"),
        ("scenario/source.py", "import os\nopen('x')"),
        ("qemu/disk.py", "from harness.qemu.command import PROGRAM"),
    ],
)
def test_what_the_rules_allow_passes(relative: str, line: str) -> None:
    assert problems(relative, f"{HEADER}\n{line}\n") == []
