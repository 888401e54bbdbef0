# SPDX-License-Identifier: GPL-3.0-only
"""A full disk: a file takes all the room that the file system with snapd's state has, root's share too."""

from __future__ import annotations

from harness.fault.target import Target, Undo
from harness.host.deadline import Deadline

_FILE = "/var/lib/revert-safety-full"
# Blocks for the file are set aside without being written; what is left then is less than one of fallocate's
# requests. A deleted file's blocks come back with ext4's next commit, so after a sync.
_FILL = f"""\
set -e
sync
free=$(stat -f -c '%f * %S' /var/lib)
fallocate -l $((free)) {_FILE} 2>/dev/null || fallocate -l $((free - 16777216)) {_FILE}
cat /dev/zero >>{_FILE} 2>/dev/null || :
sync
left=$(stat -f -c '%f * %S' /var/lib)
test $((left)) -lt 65536 || {{ echo "$((left)) bytes are still free" >&2; exit 1; }}
"""
_EMPTY = f"rm -f {_FILE} && sync"


def apply(target: Target, deadline: Deadline) -> Undo:
    """Fill it up. It stays full over reboots; a command of whatever boot runs then makes room again."""
    target.shell.run(_FILL, deadline)

    def undo(until: Deadline) -> None:
        target.shell.run(_EMPTY, until)

    return undo
