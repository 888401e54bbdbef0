# SPDX-License-Identifier: GPL-3.0-only
"""What runs in a machine: its seed, its witness, commands over ssh, and snapd."""
