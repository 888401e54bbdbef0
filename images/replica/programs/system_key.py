# SPDX-License-Identifier: GPL-3.0-only
"""/var/lib/snapd/system-key: for which snapd, in which surroundings, the policy on disk was made."""

import json
import os

import era

PATH = f"{era.VAR}/system-key"
_FEATURES = "/sys/kernel/security/apparmor/features"


def wanted(table):
    """The key of this release here and now, as text."""
    features = sorted(os.listdir(_FEATURES)) if os.path.isdir(_FEATURES) else []
    key = {
        "version": table.daemon.key_version,
        "build-id": era.build_id(era.tool("snapd")),
        "apparmor-features": features,
        "nfs-home": False,
        "overlay-root": "",
        "seccomp-features": [],
    }
    return json.dumps(key)


def matches(table):
    """Whether the key on disk is this release's."""
    try:
        with open(PATH, encoding="utf-8") as file:
            return file.read() == wanted(table)
    except OSError:
        return False
