# SPDX-License-Identifier: GPL-3.0-only
"""What makes a guest ours for one run, without a trace in its image: an archive appended to its initrd.

The image's initrd copies /seed/run to /run before it hands over to systemd, which reads units from
/run/systemd/system as well as from /etc and /usr. So every boot starts with the same seed.

Nothing here is ordered against snapd or a unit of a snap, and the default dependencies are left out, so
that no target waits for a unit of ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources

from harness.guest.bytecode import CACHE
from harness.guest.cpio import Entry, archive
from harness.guest.keys import RunKeys
from harness.guest.orders import ORDERS_SERIAL

HOME = "/run/revert-safety"
TAKE_ORDERS = f"{HOME}/take-orders"
EAGER = f"{HOME}/eager"
_UNITS = "/run/systemd/system"
GUEST_ADDRESS = "10.0.2.15/24"  # what a QEMU user network forwards to unless told otherwise
MANAGEMENT_MAC = "52:54:00:00:00:01"
SCENARIO_MAC = "52:54:00:00:00:02"
MANAGEMENT_INTERFACE = "eth0"

_NO_DELAYS: Mapping[str, int] = {}
_NO_BYTECODE: Mapping[str, bytes] = {}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"

# The compiled code of the standard library is there, but nobody may write ours beside it.
_WITNESS = f"/usr/bin/python3 -I -S -B {HOME}/witness"
PROBE = f"{HOME}/witness/probe"
_RUNS_ALREADY = f"{HOME}/witness-runs"

# Started by our initrd, before systemd: a unit would come late, and stop before the boot's end. It ends by
# systemd's last signals to all processes. Where a user's own initrd does not start it, the unit does.
_EARLY = f"""\
if [ -e {TAKE_ORDERS} ]; then
	/bin/sh {TAKE_ORDERS} || echo "revert-safety: cannot take orders" >/dev/console
fi
: >{_RUNS_ALREADY}
{{
	echo -1000 >/proc/self/oom_score_adj
	until {_WITNESS}; do sleep 1; done
}} </dev/null &
"""

# Read past the page cache, because the host writes to the disk while the guest runs. What is there already
# stays: somebody may be waiting for it.
_TAKE_ORDERS = f"""\
for serial in /sys/block/*/serial; do
	[ "$(cat "$serial")" = {ORDERS_SERIAL} ] || continue
	device=${{serial%/serial}}
	dd if="/dev/${{device##*/}}" iflag=direct bs=64k count=1 status=none | tar -xm -C / --skip-old-files
	exit
done
exit 1
"""

_WITNESS_UNIT = f"""\
[Unit]
Description=Witness of the revert-safety harness
DefaultDependencies=no
ConditionPathExists=!{_RUNS_ALREADY}

[Service]
ExecStart={_WITNESS}
Restart=on-failure
RestartSec=1
StandardOutput=journal+console
StandardError=journal+console
OOMScoreAdjust=-1000
"""

# sshd's notification and its pid file both come once it listens (sshd.c).
_SSHD_UNIT = f"""\
[Unit]
Description=Command channel of the revert-safety harness
DefaultDependencies=no
After=basic.target sys-subsystem-net-devices-{MANAGEMENT_INTERFACE}.device
Wants=sys-subsystem-net-devices-{MANAGEMENT_INTERFACE}.device

[Service]
Type=notify
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
ExecStartPre=/bin/sh {HOME}/prepare
ExecStart=/usr/sbin/sshd -D -e -f {HOME}/sshd_config
Restart=on-failure
RestartSec=1
"""

_SSHD_CONFIG = f"""\
Port 22
AddressFamily inet
HostKey {HOME}/host_key
PidFile {HOME}/sshd.pid
AuthorizedKeysFile {HOME}/authorized_keys
StrictModes no
PermitRootLogin prohibit-password
AllowUsers root
AuthenticationMethods publickey
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
X11Forwarding no
AllowTcpForwarding no
AllowAgentForwarding no
MaxSessions 64
MaxStartups 64
LoginGraceTime 0
SetEnv PATH={_PATH} LANG=C.UTF-8
"""

_PREPARE = f"""\
set -e
ip link set dev lo up
ip link set dev {MANAGEMENT_INTERFACE} up
ip address replace %s dev {MANAGEMENT_INTERFACE}
"""

_START = """\
import sys

if sys.argv[1:]:
    from probe.waiting import main

    main(sys.argv[1:])
else:
    import gc

    gc.disable()  # what is imported stays
    from probe.agent import main

    gc.freeze()
    gc.enable()
    main()
"""

_WITNESS_SERVICE, _SSHD_SERVICE = "revert-safety-witness.service", "revert-safety-sshd.service"
# The image's own ssh server would take the port, and lets other keys in.
_MASKED = ("ssh.service", "ssh.socket", "sshd.service", "sshd.socket")


# On a slow host PID 1 would end snapd while it makes its policy anew; where time-outs are nominal, that takes
# a third of the time that it has by default (systemd-system.conf(5)). The image gives less for stopping.
_START_SECONDS, _STOP_SECONDS = 90, 30
_MANAGER = "/run/systemd/system.conf.d/revert-safety.conf"
_TIMEOUTS = "[Manager]\nDefaultTimeoutStartSec={start}s\nDefaultTimeoutStopSec={stop}s\n"


def make_seed(
    keys: RunKeys,
    *,
    address: str = GUEST_ADDRESS,
    delays: Mapping[str, int] = _NO_DELAYS,
    orders: bool = False,
    witness: bool = True,
    bytecode: Mapping[str, bytes] = _NO_BYTECODE,
    eager: bool = False,
    slowness: float = 1.0,
) -> bytes:
    """The archive for one run's guests; the same keys and delays give the same bytes.

    `address` is the management interface's, with its prefix length. `delays` are units that are to start
    late, with milliseconds. With `orders` the guest reads them from their disk (harness.guest.orders) at
    every boot. Without `witness` nothing watches the guest, which takes commands all the same. `bytecode` is
    the witness's (harness.guest.bytecode); an `eager` one tells of everything soon. `slowness` is how many
    times slower this host is than the one for which nominal time-outs are.
    """
    files = {**_late(delays), **_command_channel(keys, address), **(_witness(bytecode) if witness else {})}
    if eager:
        files[EAGER] = Entry()
    if slowness > 1:
        start, stop = (round(seconds * slowness) for seconds in (_START_SECONDS, _STOP_SECONDS))
        files[_MANAGER] = Entry(_TIMEOUTS.format(start=start, stop=stop).encode())
    if orders:
        files[TAKE_ORDERS] = Entry(_TAKE_ORDERS.encode())
    return archive({f"seed{path}": entry for path, entry in files.items()})


def probe_files() -> Mapping[str, bytes]:
    """The witness's source files, by name."""
    package = resources.files("harness.probe")
    return {item.name: item.read_bytes() for item in package.iterdir() if item.name.endswith(".py")}


def probe_sha256() -> str:
    """The digest that the witness says of itself in its Hello (`own_sha256` of harness.probe.agent)."""
    digest = hashlib.sha256()
    for name, content in sorted(probe_files().items()):
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def _late(delays: Mapping[str, int]) -> dict[str, Entry]:
    """Commands of a unit before its own are run each time that it starts; drop-ins in /run last one boot."""
    texts = {unit: f"[Service]\nExecStartPre=/bin/sleep {late / 1000:.3f}\n" for unit, late in delays.items()}
    return {f"{_UNITS}/{unit}.d/revert-safety-late.conf": Entry(t.encode()) for unit, t in texts.items()}


def _unit(name: str, text: str, wanted_by: str) -> dict[str, Entry]:
    link = Entry(target=f"../{name}")
    return {f"{_UNITS}/{name}": Entry(text.encode()), f"{_UNITS}/{wanted_by}.wants/{name}": link}


def _command_channel(keys: RunKeys, address: str) -> dict[str, Entry]:
    return {
        **_unit(_SSHD_SERVICE, _SSHD_UNIT, "multi-user.target"),
        **{f"{_UNITS}/{name}": Entry(target="/dev/null") for name in _MASKED},
        f"{HOME}/sshd_config": Entry(_SSHD_CONFIG.encode()),
        f"{HOME}/host_key": Entry(keys.host.private, 0o600),
        f"{HOME}/authorized_keys": Entry(f"{keys.client.public}\n".encode(), 0o600),
        f"{HOME}/prepare": Entry((_PREPARE % address).encode()),
    }


def _witness(bytecode: Mapping[str, bytes]) -> dict[str, Entry]:
    files = {f"{PROBE}/{name}": Entry(content) for name, content in probe_files().items()}
    files |= {f"{PROBE}/{CACHE}/{name}": Entry(code) for name, code in bytecode.items()}
    start = {f"{HOME}/witness/__main__.py": Entry(_START.encode()), f"{HOME}/early": Entry(_EARLY.encode())}
    return {**_unit(_WITNESS_SERVICE, _WITNESS_UNIT, "sysinit.target"), **start, **files}
