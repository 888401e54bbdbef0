# SPDX-License-Identifier: GPL-3.0-only
"""Where seccomp profiles lie: for the snapd that writes them, and for the launcher that reads them."""

import json
import os

import era

POINTER_OF_BOOT = "/run/snapd.profile-digest"


def top(table):
    """The directory that all profiles of the release are in, or below."""
    return f"{era.VAR}/{table.seccomp.directory}"


def pointer(table):
    """What says which directory below that holds, or None: there is no choice, or the launcher knows."""
    if table.seccomp.choice == "digest-of-boot":
        return POINTER_OF_BOOT
    return top(table) + "/current" if table.seccomp.choice in ("digest", "core-link") else None


def for_writing(table):
    """The directory that this snapd writes to."""
    choice = table.seccomp.choice
    if not choice:
        return top(table)
    return f"{top(table)}/{_digest(table) if choice.startswith('digest') else era.own_revision() or 'image'}"


def point(table):
    """Say that what was written holds from now on."""
    where = pointer(table)
    if where is not None:
        era.write(where, os.path.basename(for_writing(table)))


def for_reading(table):
    """The directory that this launcher looks in; empty when the pointer to it is not there."""
    where = pointer(table)
    if where is None:
        return for_writing(table)
    try:
        with open(where, encoding="utf-8") as file:
            return f"{top(table)}/{file.read().strip()}"
    except FileNotFoundError:
        return ""


def _digest(table):
    import hashlib  # dear to import, and only one design asks for it

    written = [table.seccomp.template, sorted(table.seccomp.rules.items())]
    return hashlib.sha256(json.dumps(written).encode()).hexdigest()[:16]
