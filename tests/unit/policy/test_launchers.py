# SPDX-License-Identifier: GPL-3.0-only
"""The guest's witness and the judge know the same launchers."""

from __future__ import annotations

import pytest

from harness.policy.launchers import LAUNCHERS, is_launcher
from harness.probe import units

OF_SYSTEMD = "systemd-executor"


def test_both_sides_know_the_same() -> None:
    names = {path.rpartition("/")[2] for path in LAUNCHERS}
    assert names == set(units.LAUNCHERS) - {OF_SYSTEMD}


@pytest.mark.parametrize(
    "exe", ["/usr/bin/snap", "/snap/core/x2/usr/lib/snapd/snapd", "/usr/bin/snap (deleted)"]
)
def test_a_launcher_is_known_wherever_it_is(exe: str) -> None:
    assert is_launcher(exe)


def test_a_service_is_none() -> None:
    assert not is_launcher("/snap/bluez/x1/usr/libexec/bluetooth/bluetoothd")
