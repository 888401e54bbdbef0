# SPDX-License-Identifier: GPL-3.0-only
"""Going over into the core's own program, when the core is not older than the image's (facts: re-exec)."""

import os
import re
import sys

import era

CORE = f"{era.SNAPS}/core/current"


def hand_over(path):
    """Execute the core's program at `path` with the same arguments, or return when this one is to go on."""
    target = CORE + path
    if era.own_revision() or os.environ.get("SNAP_REEXEC") == "0" or not os.path.exists(target):
        return
    if version(CORE) >= version(""):
        sys.stderr.flush()
        # Python finds its library by the path that it is called by.
        real = os.path.realpath(target)
        os.execv(real, [real, *(word for word in sys.argv if word)])


def version(root):
    """The numbers of the VERSION that a core, or the image, gives its snapd."""
    try:
        with open(root + "/usr/lib/snapd/info", encoding="utf-8") as file:
            found = re.search(r"^VERSION=([\d.]+)", file.read(), re.MULTILINE)
    except OSError:
        found = None
    return tuple(int(part) for part in found.group(1).split(".") if part) if found else ()
