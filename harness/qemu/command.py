# SPDX-License-Identifier: GPL-3.0-only
"""A machine's description and the QEMU command line that it means; pure.

Facts that shape the command line:

* QMP events from before the handshake are lost, so the machine starts stopped (`-S`).
* `-action shutdown=pause` keeps QEMU when the guest powers off: QEMU never ends by the guest's
  doing, so its end is either asked for or an accident.
* `-action panic=pause` keeps a panicked guest from rebooting itself (`panic=-1`) out of sight.
* pvpanic is there twice: on the ISA bus for what has no driver model, on PCI for the driver that a
  guest's initrd loads.
* A port of 0 is chosen by the kernel; asking which it was is the only way without a race.
* SeaBIOS, QEMU's default firmware, resets the machine once to four times more while it comes up
  after a reset (seen with 7.2.22 and 10.0.2), so that RESET events cannot be counted. qboot, which
  QEMU ships for machines whose kernel it loads itself, does not: one RESET is one boot's end.
* The console is a file chardev: it belongs to QEMU and so goes on over every reset of the guest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from harness.qemu.write_log import LOGGED_DEVICE, logged

T = TypeVar("T")

PROGRAM = "qemu-system-x86_64"
FIRMWARE = "qboot.rom"  # found in QEMU's own data directory


class CacheMode(StrEnum):
    """How the guest's flushes reach the host (QEMU's documentation of `cache=`)."""

    UNSAFE = "unsafe"  # flushes are ignored: fastest, and a power cut loses what was flushed
    WRITEBACK = "writeback"  # flushes reach the host's disk
    DIRECT = "none"  # and the host's page cache is not used


class DiskFormat(StrEnum):
    """The image formats the harness uses."""

    QCOW2 = "qcow2"
    RAW = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A virtio disk; the guest finds it as /dev/disk/by-id/virtio-<serial>.

    With `write_log`, an empty file, every write and flush of the guest's is also kept there.
    """

    path: Path
    serial: str
    format: DiskFormat = DiskFormat.QCOW2
    read_only: bool = False
    cache: CacheMode = CacheMode.WRITEBACK
    write_log: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """A virtio network interface on a user network of its own, from which nothing gets out.

    With `forward_ssh` a port of the host's loopback leads to the guest's port 22.
    """

    mac: str
    subnet: str
    forward_ssh: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """A virtio-serial port: /dev/virtio-ports/<name> in the guest, a socket and a log here."""

    name: str
    log: Path


@dataclass(frozen=True, slots=True)
class DirectKernel:
    """What QEMU loads itself, without a boot loader."""

    kernel: Path
    initrd: Path | None
    cmdline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """Everything that makes a machine; memory in MiB, `accelerator` as `-accel` takes it.

    `clock` is what its real-time clock shows at first: `utc`, or a date and time of that zone.
    """

    name: str
    memory_mib: int
    cpus: int
    accelerator: str
    cpu_model: str
    boot: DirectKernel
    console: Path
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    channels: tuple[Channel, ...] = ()
    program: str = PROGRAM
    clock: str = "utc"
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wiring:
    """The descriptors that QEMU inherits: its ends of the monitor's and the channels' socket pairs."""

    monitor: int
    channels: Mapping[str, int] = field(default_factory=dict)


def block_device(index: int) -> str:
    """The device id of the disk at this place in a machine's `disks`."""
    return f"block{index}"


def block_node(index: int) -> str:
    """The name of that disk's topmost block node."""
    return f"disk{index}"


def network(index: int) -> str:
    """The id of the network of the interface at this place in a machine's `nics`."""
    return f"net{index}"


def command_line(spec: MachineSpec, wiring: Wiring) -> list[str]:
    """The whole argv of a machine that waits, stopped, for its monitor."""
    return [
        spec.program,
        *_platform(spec),
        *_boot(spec.boot),
        *_console(spec),
        *_monitor(wiring.monitor),
        *_each(spec.disks, _disk),
        *_each(spec.nics, _nic),
        *_channels(spec.channels, wiring.channels),
        *spec.extra,
    ]


def _platform(spec: MachineSpec) -> list[str]:
    return [
        "-name", f"guest={_escaped(spec.name)}",
        "-nodefaults",
        "-no-user-config",
        "-display", "none",
        "-S",
        "-machine", "q35",
        "-accel", spec.accelerator,
        "-cpu", spec.cpu_model,
        "-smp", str(spec.cpus),
        "-m", f"{spec.memory_mib}M",
        "-rtc", f"base={_escaped(spec.clock)}",
        "-action", "panic=pause,shutdown=pause,reboot=reset",
        "-device", "pvpanic",
        "-device", "pvpanic-pci",
        "-object", "rng-random,id=entropy,filename=/dev/urandom",
        "-device", "virtio-rng-pci,rng=entropy",
    ]  # fmt: skip


def _boot(boot: DirectKernel) -> list[str]:
    initrd = ["-initrd", str(boot.initrd)] if boot.initrd else []
    return ["-bios", FIRMWARE, "-kernel", str(boot.kernel), *initrd, "-append", boot.cmdline]


def _console(spec: MachineSpec) -> list[str]:
    return [
        "-chardev", f"file,id=console,path={_escaped(spec.console)},append=on",
        "-serial", "chardev:console",
    ]  # fmt: skip


def _monitor(descriptor: int) -> list[str]:
    return [
        "-chardev", f"socket,id=monitor,fd={descriptor}",
        "-mon", "chardev=monitor,mode=control",
    ]  # fmt: skip


def _disk(index: int, disk: Disk) -> list[str]:
    node, quirks = _block_node(block_node(index), disk), ""
    serial = _escaped(disk.serial)
    if disk.write_log:
        node, quirks = logged(node, disk.write_log), f",{LOGGED_DEVICE}"
    return [
        "-blockdev", json.dumps(node),
        "-device",
        f"virtio-blk-pci,id={block_device(index)},drive={block_node(index)},serial={serial}{quirks}",
    ]  # fmt: skip


def _block_node(name: str, disk: Disk) -> dict[str, object]:
    # -blockdev takes JSON, in which a path needs no escapes of QEMU's own. The cache of the format
    # node and of the file below it are two settings; both count.
    cache = {
        "direct": disk.cache is CacheMode.DIRECT,
        "no-flush": disk.cache is CacheMode.UNSAFE,
    }
    both = {"read-only": disk.read_only, "cache": cache, "discard": "unmap"}
    file = {"driver": "file", "filename": str(disk.path), **both}
    return {"driver": disk.format.value, "node-name": name, "file": file, **both}


def _nic(index: int, nic: Nic) -> list[str]:
    forward = ",hostfwd=tcp:127.0.0.1:0-:22" if nic.forward_ssh else ""
    # Without a subnet of its own every user network is 10.0.2.0/24. An empty romfile spares the
    # firmware a network boot ROM.
    return [
        "-netdev", f"user,id={network(index)},net={nic.subnet},restrict=on,ipv6=off{forward}",
        "-device", f"virtio-net-pci,netdev={network(index)},mac={nic.mac},romfile=",
    ]  # fmt: skip


def _channels(channels: tuple[Channel, ...], descriptors: Mapping[str, int]) -> list[str]:
    if not channels:
        return []
    return [
        "-device", "virtio-serial-pci,id=channels",
        *_each(channels, lambda index, channel: _channel(index, channel, descriptors[channel.name])),
    ]  # fmt: skip


def _channel(index: int, channel: Channel, descriptor: int) -> list[str]:
    log = f"logfile={_escaped(channel.log)},logappend=on"
    return [
        "-chardev", f"socket,id=channel{index},fd={descriptor},{log}",
        "-device", f"virtserialport,bus=channels.0,chardev=channel{index},name={channel.name}",
    ]  # fmt: skip


def _each(items: Sequence[T], arguments: Callable[[int, T], list[str]]) -> list[str]:
    return [word for index, item in enumerate(items) for word in arguments(index, item)]


def _escaped(value: object) -> str:
    """A comma ends a value in QEMU's key=value lists unless it is doubled."""
    return str(value).replace(",", ",,")
