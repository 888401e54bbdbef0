# SPDX-License-Identifier: GPL-3.0-only
"""How a program ends with words. Words that no release is known to have used begin with `replica:`."""

import os
import sys


def die(message, error=0):
    """End with status 1; `error` is an errno, whose text follows the message."""
    sys.stderr.write(f"{message}: {os.strerror(error)}\n" if error else f"{message}\n")
    raise SystemExit(1)
