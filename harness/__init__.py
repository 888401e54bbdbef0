# SPDX-License-Identifier: GPL-3.0-only
"""A revert-safety harness for snapd."""
