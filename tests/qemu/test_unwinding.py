# SPDX-License-Identifier: GPL-3.0-only
"""However the harness ends, its QEMU ends too."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from harness.host.deadline import Deadline, wait_until
from harness.host.process import spawn
from tests.qemu.tiny_kernel import HALT, write_kernel

pytestmark = pytest.mark.qemu

# A shell without job control has what it runs in the background ignore Ctrl-C, and that is inherited.
HARNESS = """
import signal
import sys
from pathlib import Path
from harness.host.deadline import Deadline
from harness.host.signals import terminate_on_signals
from harness.qemu.command import DirectKernel, MachineSpec
from harness.qemu.instance import start
signal.signal(signal.SIGINT, signal.default_int_handler)
here = Path(sys.argv[1])
spec = MachineSpec(name="x", memory_mib=64, cpus=1, accelerator="tcg", cpu_model="Nehalem",
                   boot=DirectKernel(here / "kernel", None, ""), console=here / "console.log")
try:
    with terminate_on_signals(), start(spec, here / "qemu.log", Deadline.after(30)) as instance:
        print(instance.pid, flush=True)
        instance.wait_for("NEVER", Deadline.after(300))
except KeyboardInterrupt:
    sys.exit(9)
"""


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 9), (signal.SIGTERM, 9), (signal.SIGHUP, 9), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["ctrl-c", "sigterm", "sighup", "sigkill"],
)
def test_no_qemu_outlives_the_harness(tmp_path: Path, number: signal.Signals, status: int) -> None:
    write_kernel(tmp_path / "kernel", HALT)
    output = tmp_path / "output"
    argv = [sys.executable, "-c", HARNESS, str(tmp_path)]
    with output.open("wb") as stdout, spawn(argv, stdout=stdout) as harness:
        pid = int(wait_until(lambda: output.read_text() or None, Deadline.after(30), what="QEMU's pid"))
        assert is_running(pid)
        harness.signal(number)
        assert harness.wait(Deadline.after(30)) == status
        wait_until(lambda: not is_running(pid), Deadline.after(2), what="the end of QEMU")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
