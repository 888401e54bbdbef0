# SPDX-License-Identifier: GPL-3.0-only
"""The nouns: frozen data that every other part speaks in. Nothing here does input or output."""
