# SPDX-License-Identifier: GPL-3.0-only
"""What is made to go wrong with a machine and its guest, and put right again."""

from harness.fault.registry import applied, apply
from harness.fault.target import Target, Undo

__all__ = ["Target", "Undo", "applied", "apply"]
