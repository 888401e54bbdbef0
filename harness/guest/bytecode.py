# SPDX-License-Identifier: GPL-3.0-only
"""The witness's modules compiled beforehand, by this Python and each that the host has.

To compile them costs an emulated guest some seconds of CPU time at every boot. Python takes a compiled module
from beside the source when its name and its first bytes are those of the same version (PEP 3147, PEP 552),
and compiles the source when they are not: so nobody has to know which Python the guest has.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from harness.errors import HarnessError
from harness.host.process import run
from harness.host.programs import find_program

# The versions that the witness runs with.
PYTHONS = tuple(f"python3.{minor}" for minor in range(10, 15))
CACHE = "__pycache__"
_SECONDS = 60.0


def compiled(sources: Mapping[str, bytes], place: str) -> Mapping[str, bytes]:
    """What belongs into the directory CACHE beside these modules, by name; the guest has them in `place`.

    A Python that cannot compile them gives nothing.
    """
    return dict(_compiled(tuple(sorted(sources.items())), place))


@cache
def _compiled(sources: tuple[tuple[str, bytes], ...], place: str) -> tuple[tuple[str, bytes], ...]:
    with tempfile.TemporaryDirectory(prefix="bytecode-") as scratch:
        for name, content in sources:
            Path(scratch, name).write_bytes(content)
        for python in (Path(sys.executable), *filter(None, map(find_program, PYTHONS))):
            _compile(python, scratch, place)
        return tuple((path.name, path.read_bytes()) for path in sorted(Path(scratch, CACHE).glob("*.pyc")))


def _compile(python: Path, scratch: str, place: str) -> None:
    """Bytecode that is not compared with its source, as both are in one archive, and knows no columns."""
    options = ("-q", "--invalidation-mode", "unchecked-hash", "-s", scratch, "-p", place)
    try:
        run(
            [python, "-I", "-X", "no_debug_ranges", "-m", "compileall", *options, scratch],
            check=False,
            timeout=_SECONDS,
        )
    except HarnessError:
        return
