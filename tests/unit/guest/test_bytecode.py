# SPDX-License-Identifier: GPL-3.0-only
"""The witness compiled by the guest's own Python, here this host's; and what a guest may print instead."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest

from harness.guest.bytecode import LARGEST, compile_command, read_code
from harness.guest.seed import probe_files
from harness.host.process import run
from harness.model.wire import WITNESS_PORT

CODE = base64.b64encode(b"code").decode()


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    for name, content in probe_files().items():
        (tmp_path / "probe" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "probe" / name).write_bytes(content)
    return tmp_path


def test_the_witness_runs_on_it_alone(witness: Path) -> None:
    place = witness / "probe"
    printed = run(["sh", "-c", compile_command(str(place))]).stdout.decode()
    code = read_code(printed)
    assert {name.partition(".")[0] for name in code} == {source.stem for source in place.glob("*.py")}
    assert list(witness.glob("**/*.pyc")) == []
    (place / "__pycache__").mkdir()
    for name, content in code.items():
        (place / "__pycache__" / name).write_bytes(content)
    for source in place.glob("*.py"):
        source.write_text("raise SystemExit('compiled again')")
    asked = f"import sys; sys.path.insert(0, {str(witness)!r}); from probe import agent; print(agent.PORT)"
    python = next(iter(code)).split(".")[1].removeprefix("cpython-3")
    done = run([f"python3.{python}", "-I", "-B", "-S", "-c", asked], cwd=Path("/"))
    assert done.stdout.decode().strip() == WITNESS_PORT


def test_a_guest_without_a_compiler_gives_none(witness: Path) -> None:
    done = run(["sh", "-c", compile_command(str(witness / "nowhere"))], check=False)
    assert read_code(done.stdout.decode()) == {}


@pytest.mark.parametrize(
    "printed",
    [
        "",
        f"../../etc/passwd {CODE}\n",
        f"a.py {CODE}\n",
        f"a.cpython-313.pyc {CODE}\nSegmentation fault\n",
        "a.cpython-313.pyc c!de\n",
        f"a.cpython-313.pyc {base64.b64encode(bytes(LARGEST + 1)).decode()}\n",
    ],
)
def test_anything_else_is_no_code(printed: str) -> None:
    assert read_code(printed) == {}


def test_code_is_read_by_its_name() -> None:
    assert read_code(f"a.cpython-313.pyc {CODE}\n") == {"a.cpython-313.pyc": b"code"}
    assert sys.implementation.cache_tag.startswith("cpython-")
