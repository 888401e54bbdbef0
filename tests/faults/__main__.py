# SPDX-License-Identifier: GPL-3.0-only
"""Puts each deliberate fault into a copy of the harness and sees whether its tests notice.

`python -m tests.faults` exits with 1 when a fault survives its tests, or no longer applies. Words after
the command choose the faults whose file or description holds one of them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from harness.errors import TimedOut
from harness.host.process import run
from tests.faults.cut_faults import CUT_FAULTS
from tests.faults.evidence_faults import EVIDENCE_FAULTS
from tests.faults.fault import Fault
from tests.faults.fingerprint_faults import FINGERPRINT_FAULTS
from tests.faults.gate_faults import GATE_FAULTS
from tests.faults.judge_faults import JUDGE_FAULTS
from tests.faults.launcher_faults import LAUNCHER_FAULTS
from tests.faults.mount_faults import MOUNT_FAULTS
from tests.faults.point_faults import POINT_FAULTS
from tests.faults.rate_faults import RATE_FAULTS
from tests.faults.start_faults import START_FAULTS
from tests.faults.sweep_faults import SWEEP_FAULTS
from tests.faults.text_faults import TEXT_FAULTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("harness", "tests", "scenarios", "images")
FAULTS = (
    *CUT_FAULTS,
    *EVIDENCE_FAULTS,
    *FINGERPRINT_FAULTS,
    *GATE_FAULTS,
    *JUDGE_FAULTS,
    *LAUNCHER_FAULTS,
    *MOUNT_FAULTS,
    *POINT_FAULTS,
    *RATE_FAULTS,
    *START_FAULTS,
    *SWEEP_FAULTS,
    *TEXT_FAULTS,
)

_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=noticing")
_LONGEST = 600.0  # seconds
_NOTICED = 1  # pytest's exit status when a test failed


def main(words: Iterable[str]) -> int:
    """Try the faults and print a table; 1 when one was not noticed."""
    wanted = tuple(words)
    chosen = [f for f in FAULTS if not wanted or any(w in f"{f.file} {f.breaks}" for w in wanted)]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        copy = Path(name)
        _copy(copy)
        for number, fault in enumerate(chosen, start=1):
            outcome = _try(fault, copy)
            missed += outcome != "noticed"
            print(f"{number:>3}/{len(chosen)}  {outcome:<14} {fault.file:<40} {fault.breaks}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} faults were noticed")
    return int(missed > 0)


def _copy(to: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for name in COPIED:
        shutil.copytree(ROOT / name, to / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, to / name)


def _try(fault: Fault, copy: Path) -> str:
    source = fault.source(copy)
    whole = source.read_text()
    try:
        source.write_text(fault.applied(whole))
        argv = [sys.executable, "-B", "-m", "pytest", *_OPTIONS, *fault.tests]
        ended = run(
            argv, check=False, cwd=copy, timeout=_LONGEST, env={**os.environ, "PYTHONPATH": str(copy)}
        )
    except ValueError as error:
        return f"does not apply: {error}"
    except TimedOut:
        return "tests hang"
    finally:
        source.write_text(whole)
    if ended.returncode == _NOTICED:
        return "noticed"
    return "SURVIVED" if ended.returncode == 0 else f"tests ended {ended.returncode}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
