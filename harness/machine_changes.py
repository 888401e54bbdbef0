# SPDX-License-Identifier: GPL-3.0-only
"""Changes of snaps and connections in a guest, with the snaps on the disk that the machine has for them."""

from __future__ import annotations

from harness.guest.shell import Shell
from harness.guest.snapd import Snapd
from harness.host.deadline import Deadline
from harness.model.plan import ConnectPlug, DisconnectPlug, InstallSnap, RemoveSnap, RevertSnap, SnapRef

PAYLOAD_SERIAL = "payload"
_PAYLOAD = "/run/revert-safety/payload"
_MOUNT_PAYLOAD = (
    f"mountpoint -q {_PAYLOAD} || {{ mkdir -p {_PAYLOAD}"
    f" && mount -t squashfs -o ro /dev/disk/by-id/virtio-{PAYLOAD_SERIAL} {_PAYLOAD}; }}"
)

Change = InstallSnap | RevertSnap | RemoveSnap
Connection = ConnectPlug | DisconnectPlug


def carry_out(action: Change | Connection, shell: Shell, deadline: Deadline) -> str:
    """Make a change and wait until it is done; returns a line about it.

    Raises GuestFailed, InstanceDied or TimedOut.
    """
    said = Snapd(shell).await_change(begin(action, shell, deadline), deadline)
    if isinstance(action, ConnectPlug) and action.units:
        named = " ".join(action.units)
        shell.run(f"systemctl reset-failed {named}; systemctl start {named}", deadline)
    return said


def begin(action: Change | Connection, shell: Shell, deadline: Deadline) -> str:
    """Have a change begun without waiting; returns snapd's id of it and raises as `carry_out` does."""
    snapd = Snapd(shell)
    match action:
        case InstallSnap(ref):
            return snapd.install(_payload(ref, shell, deadline), deadline)
        case RevertSnap(snap):
            return snapd.revert(snap, deadline)
        case RemoveSnap(snap):
            return snapd.remove(snap, deadline)
        case ConnectPlug(plug, slot):
            return snapd.connect(plug, slot, deadline)
        case DisconnectPlug(plug, slot):
            return snapd.disconnect(plug, slot, deadline)


def _payload(ref: SnapRef, shell: Shell, deadline: Deadline) -> str:
    """The snap's path in the guest; the payload disk is mounted once in each boot that needs it."""
    shell.run(_MOUNT_PAYLOAD, deadline)
    return f"{_PAYLOAD}/{ref.file_name}"
