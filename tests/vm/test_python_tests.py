# SPDX-License-Identifier: GPL-3.0-only
"""What a Python test does with the `lab` fixture, in a real guest: commands, testinfra, the snap files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bench import Bench
from harness.guest.testinfra import host_of
from tests.vm.conftest import ROOT, options_in

pytestmark = pytest.mark.vm


def test_a_machine_for_a_python_test(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    lab = Bench(options_in(tmp_path, pytestconfig), print)
    with lab.machine(ROOT / "scenarios/control/wrong-snapd.yaml") as machine:
        host = host_of(machine.shell)
        assert host.file("/etc/os-release").contains("trixie")
        assert host.service("snapd.socket").is_running
        assert not host.service("ssh").is_running, "the only way in is the run's own server"
        assert host.check_output("cat /sys/kernel/security/lsm").count("apparmor") == 1
        look = machine.look("a test's own", machine.patience.deadline(30), settle=False)
        assert look.boot_id == host.file("/proc/sys/kernel/random/boot_id").content_string.strip()
        assert look.services == ()
    (run,) = tmp_path.iterdir()
    assert not list(run.glob("machine*")), "the disk and the keys are gone"
