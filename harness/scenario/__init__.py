# SPDX-License-Identifier: GPL-3.0-only
"""Text to plan: YAML that knows its lines, decoding, resolving names. Pure but for reading the file."""
