# SPDX-License-Identifier: GPL-3.0-only
"""Record and verdict to a page for people and for other programs."""
