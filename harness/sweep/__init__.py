# SPDX-License-Identifier: GPL-3.0-only
"""Sweeps over the states that a cut of a recorded run could have left, and makes disks of them."""

from harness.sweep.bootable import bootable
from harness.sweep.recording import Recording
from harness.sweep.sweeping import sweep

__all__ = ["Recording", "bootable", "sweep"]
