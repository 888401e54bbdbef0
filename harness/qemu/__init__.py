# SPDX-License-Identifier: GPL-3.0-only
"""A running machine, without knowing what runs in it."""
