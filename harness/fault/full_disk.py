# SPDX-License-Identifier: GPL-3.0-only
"""A full disk: a file takes all the room that the file system with snapd's state has, root's share too."""

from __future__ import annotations

from harness.fault.target import Target, Undo
from harness.host.deadline import Deadline

_FILE = "/var/lib/revert-safety-full"
_MORE = "/var/lib/revert-safety-more"
# Blocks for the file are set aside without being written. ext4 needs some for its own tree of them, so that
# fallocate comes to an end of the room, and keeps what it has got by then. Of what is left, ext4 gives some
# megabytes to nobody (s_resv_clusters), so only writing shows that there is no room. A deleted file's blocks
# come back with ext4's next commit, so after a sync.
_FILL = f"""\
sync
free=$(stat -f -c '%f * %S' /var/lib)
fallocate -l $((free)) {_FILE} 2>/dev/null
cat /dev/zero >>{_FILE} 2>/dev/null
sync
if dd if=/dev/zero of={_MORE} bs=64k count=1 conv=fsync status=none 2>/dev/null; then
    echo 'there is still room' >&2
    exit 1
fi
rm -f {_MORE}
"""
_EMPTY = f"rm -f {_FILE} && sync"


def apply(target: Target, deadline: Deadline) -> Undo:
    """Fill it up. It stays full over reboots; a command of whatever boot runs then makes room again."""
    target.shell.run(_FILL, deadline)

    def undo(until: Deadline) -> None:
        target.shell.run(_EMPTY, until)

    return undo
