# SPDX-License-Identifier: GPL-3.0-only
"""Reads the guest's state through testinfra, over our own shell.

testinfra's own paramiko backend runs a command again after a lost connection, waits without a limit, and
its hosts are cached for the life of the process, across reboots. A `Host` over this backend does none of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult  # type: ignore[import-untyped]
from testinfra.host import Host  # type: ignore[import-untyped]

from harness.errors import CannotMeasure
from harness.guest.shell import Shell, printable
from harness.host.deadline import Deadline, NotYet, wait_until

COMMAND_SECONDS = 120.0
CALM_SECONDS = 60.0
_BUS = "org.freedesktop.DBus"
_NM = "org.freedesktop.NetworkManager"
_ACTIVATED = "100"  # NM_DEVICE_STATE_ACTIVATED
_INITIALIZED = re.compile(r"Bluetooth management interface \S+ initialized")  # bluez: src/adapter.c

# A file of either format equals only what a compiler of its own format makes. The tool is the one beside
# the snapd that runs, as snapd itself calls it (snapd 2.57.6, interfaces/seccomp/backend.go).
_COMPILE_AGAIN = """
snapd=$(readlink "/proc/$(systemctl show -P MainPID snapd.service)/exe") || exit 1
tool=${snapd%/*}/snap-seccomp again=$(mktemp)
for unit in /etc/systemd/system/snap.*.service; do
    name=${unit##*/} && name=${name%.service} && file=/var/lib/snapd/seccomp/bpf/$name
    if ! "$tool" compile "$file.src" "$again" >/dev/null 2>&1; then echo "$name uncompilable"
    elif cmp -s "$again" "$file.bin" || cmp -s "$again" "$file.bin2"; then echo "$name same"
    else echo "$name other"; fi
done
rm -f "$again"
"""

Check = Callable[[Host, Mapping[str, str]], tuple[bool, str]]


class ShellBackend(BaseBackend):  # type: ignore[misc]
    """testinfra's commands, each with a limit, in one boot of the guest."""

    NAME = "revert-safety"

    def __init__(self, shell: Shell, seconds: float) -> None:
        super().__init__("guest")
        self._shell = shell
        self._seconds = seconds
        self._encoding = "utf-8"

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """Run a command once. Raises TimedOut and GuestFailed."""
        line = self.get_command(command, *args)
        result = self._shell.run(line, Deadline.after(self._seconds), check=False)
        return self.result(result.status, line.encode(), result.stdout, result.stderr)


def host_of(shell: Shell, *, seconds: float = COMMAND_SECONDS) -> Host:
    """A new testinfra host for the boot that `shell` is connected to; each command may take `seconds`."""
    return Host(ShellBackend(shell, seconds))


def network_managed(host: Host, parameters: Mapping[str, str]) -> tuple[bool, str]:
    """NetworkManager manages `interface` and has it activated, with an address.

    An activation (DHCP) goes on after the boot's jobs are done, so the guest is given some time for it.
    """
    return _eventually(lambda: _read_network(host, parameters["interface"]), host, "snap.network-manager.*")


def bluetooth_managed(host: Host, _parameters: Mapping[str, str]) -> tuple[bool, str]:
    """org.bluez belongs to a service of the bluez snap that has the kernel's management interface up."""
    return _eventually(lambda: _read_bluetooth(host), host, "snap.bluez.*")


def filters_match_source(host: Host, _parameters: Mapping[str, str]) -> tuple[bool, str]:
    """Of every snap service, the source compiled again is the filter on disk."""
    return _readable(lambda: _read_compiled(host))


CHECKS: Mapping[str, Check] = {
    "network-managed": network_managed,
    "bluetooth-managed": bluetooth_managed,
    "filters-match-source": filters_match_source,
}


def _eventually(read: Callable[[], tuple[bool, str]], host: Host, units: str) -> tuple[bool, str]:
    """What is read when it passes, or at the end of the time, or once systemd has given up its service."""
    deadline = Deadline.after(CALM_SECONDS)

    def given_up() -> bool:
        return bool(host.run("systemctl is-failed --quiet %s", units).succeeded)

    def seen() -> tuple[bool, str] | NotYet:
        passed, words = _readable(read)
        is_over = passed or deadline.expired or given_up()
        return (passed, printable(words)) if is_over else NotYet(words)

    return wait_until(seen, deadline, what="a check to pass", every=0.5)


def _readable(read: Callable[[], tuple[bool, str]]) -> tuple[bool, str]:
    try:
        return read()
    except (AssertionError, LookupError, ValueError) as error:
        raise CannotMeasure(f"cannot read the guest's state: {printable(str(error))}") from error


def _read_network(host: Host, interface: str) -> tuple[bool, str]:
    device = host.run(
        f"busctl call {_NM} /org/freedesktop/NetworkManager {_NM} GetDeviceByIpIface s %s", interface
    )
    if device.failed:
        return False, f"{interface}: NetworkManager says {device.stderr.strip()}"
    path = device.stdout.split('"')[1]
    state = host.run(f"busctl get-property {_NM} %s {_NM}.Device Managed State", path)
    # host.interface() would ask for the system's name, kind and release first: six commands more.
    shown = host.run("ip -o address show dev %s scope global", interface).stdout
    addresses = [words[3] for words in map(str.split, shown.splitlines()) if len(words) > 3]
    passed = state.stdout.split() == ["b", "true", "u", _ACTIVATED] and bool(addresses)
    managed, _, number = (state.stdout or state.stderr).strip().partition("\n")
    return (
        passed,
        f"{interface}: managed {managed}, state {number}, addresses {', '.join(addresses) or 'none'}",
    )


def _read_bluetooth(host: Host) -> tuple[bool, str]:
    owner = host.run(
        f"busctl call {_BUS} /org/freedesktop/DBus {_BUS} GetConnectionUnixProcessID s org.bluez"
    )
    if owner.failed:
        return False, f"org.bluez: {owner.stderr.strip()}"
    pid = owner.stdout.split()[-1]
    unit = host.run("cat /proc/%s/cgroup", pid).stdout.strip().rpartition("/")[2]
    if not unit.startswith("snap.bluez."):
        return False, f"org.bluez belongs to process {pid} of {unit or 'no unit'}"
    said = host.run(
        'journalctl -q -o cat _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID %s)"', unit
    )
    lines = [line for line in said.stdout.splitlines() if _INITIALIZED.search(line)]
    return bool(
        lines
    ), f"org.bluez: process {pid} of {unit}; {lines[-1] if lines else 'no management interface yet'}"


def _read_compiled(host: Host) -> tuple[bool, str]:
    gives = "what its source gives"
    words = {"same": gives, "other": f"not {gives}", "uncompilable": "uncompilable"}
    told = host.check_output(_COMPILE_AGAIN).split()
    found = dict(zip(told[::2], told[1::2], strict=True))
    if not found:
        return False, "no snap has a service"
    said = ", ".join(f"{name} is {words[how]}" for name, how in sorted(found.items()))
    return set(found.values()) == {"same"}, said
