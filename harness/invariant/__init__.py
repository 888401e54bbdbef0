# SPDX-License-Identifier: GPL-3.0-only
"""Timeline to findings: one rule a file, each with a function `judge`. Pure."""
