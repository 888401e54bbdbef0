# SPDX-License-Identifier: GPL-3.0-only
"""The AppArmor profile of the launcher itself, which comes with each core and is loaded by its boot.

apparmor_parser compiles a text only when it is newer than what was compiled before: times are all that it
compares, and a core that is gone back to is older. Without a profile the launcher runs unconfined.
"""

import glob
import os

import policy

CACHE = "/etc/apparmor.d/cache"  # the parser's, not that of the snaps' profiles (policy.CACHE)
_TEXT = "etc/apparmor.d/usr.lib.snapd.snap-confine"


def load(core):
    """Load that of the core at `core`, as a boot into it would."""
    text = f"{core}/{_TEXT}"
    if os.path.exists(text):
        policy.load([text], CACHE)


def forget():
    """Take away what was compiled, so that the next to load one compiles it."""
    for path in glob.glob(f"{CACHE}/**", recursive=True):
        if os.path.isfile(path):
            os.unlink(path)
