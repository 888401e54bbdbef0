# SPDX-License-Identifier: GPL-3.0-only
"""The command line that a description of a machine means."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.qemu.command import (
    CacheMode,
    Channel,
    DirectKernel,
    Disk,
    DiskFormat,
    MachineSpec,
    Nic,
    Wiring,
    command_line,
)

SSH = Nic(mac="52:54:00:00:00:01", subnet="10.0.2.0/24", forward_ssh=True)
OTHER = Nic(mac="52:54:00:00:00:02", subnet="10.0.3.0/24")


def line(
    *,
    console: Path = Path("console.log"),
    disks: tuple[Disk, ...] = (),
    nics: tuple[Nic, ...] = (),
    channels: tuple[Channel, ...] = (),
    initrd: Path | None = None,
) -> list[str]:
    spec = MachineSpec(
        name="a,b",
        memory_mib=1024,
        cpus=2,
        accelerator="tcg,thread=multi",
        cpu_model="Nehalem,-cx16",
        boot=DirectKernel(Path("vmlinuz"), initrd, "console=ttyS0 a,b"),
        console=console,
        disks=disks,
        nics=nics,
        channels=channels,
    )
    return command_line(spec, Wiring(7, {channel.name: 8 + n for n, channel in enumerate(channels)}))


def values(argv: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(argv) if name == option]


def test_the_platform() -> None:
    argv = line()
    assert argv[0] == "qemu-system-x86_64"
    assert {"-nodefaults", "-no-user-config", "-S"} <= set(argv)
    assert values(argv, "-m") == ["1024M"]
    assert values(argv, "-smp") == ["2"]
    assert values(argv, "-cpu") == ["Nehalem,-cx16"]
    assert values(argv, "-accel") == ["tcg,thread=multi"]
    assert values(argv, "-action") == ["panic=pause,shutdown=pause,reboot=reset"]


def test_the_kernel_line_is_one_word_and_not_escaped() -> None:
    assert values(line(), "-append") == ["console=ttyS0 a,b"]
    assert "-initrd" not in line()
    assert values(line(initrd=Path("i")), "-initrd") == ["i"]


def test_the_monitor_and_the_channels_use_inherited_descriptors() -> None:
    argv = line(channels=(Channel("one", Path("1.log")), Channel("two", Path("2,log"))))
    assert "socket,id=monitor,fd=7" in values(argv, "-chardev")
    assert "socket,id=channel0,fd=8,logfile=1.log,logappend=on" in values(argv, "-chardev")
    assert "socket,id=channel1,fd=9,logfile=2,,log,logappend=on" in values(argv, "-chardev")
    assert "virtserialport,bus=channels.0,chardev=channel1,name=two" in values(argv, "-device")


def test_no_channel_no_controller() -> None:
    assert not [device for device in values(line(), "-device") if "virtio-serial" in device]


def test_networks_are_apart_closed_and_reached_by_a_port_of_the_loopback_that_nobody_chose() -> None:
    ssh, other = values(line(nics=(SSH, OTHER)), "-netdev")
    assert "restrict=on" in ssh
    assert "restrict=on" in other
    assert "hostfwd=tcp:127.0.0.1:0-:22" in ssh
    assert "hostfwd" not in other
    assert "net=10.0.2.0/24" in ssh
    assert "net=10.0.3.0/24" in other


def test_disks_are_json_in_their_order_with_their_serials() -> None:
    argv = line(
        disks=(
            Disk(path=Path("/runs/a,b/overlay.qcow2"), serial="root", cache=CacheMode.UNSAFE),
            Disk(path=Path("payload.img"), serial="payload", format=DiskFormat.RAW, read_only=True),
        )
    )
    root, payload = (json.loads(value) for value in values(argv, "-blockdev"))
    assert root["driver"] == "qcow2"
    assert root["file"]["filename"] == "/runs/a,b/overlay.qcow2"
    assert root["cache"] == root["file"]["cache"] == {"direct": False, "no-flush": True}
    assert root["read-only"] is False
    assert payload["driver"] == "raw"
    assert payload["read-only"] is payload["file"]["read-only"] is True
    assert payload["cache"]["no-flush"] is False
    blocks = [device for device in values(argv, "-device") if device.startswith("virtio-blk")]
    assert blocks == [
        "virtio-blk-pci,id=block0,drive=disk0,serial=root",
        "virtio-blk-pci,id=block1,drive=disk1,serial=payload",
    ]


def test_a_write_log_lies_between_the_guest_and_the_disk() -> None:
    disk = Disk(path=Path("d.qcow2"), serial="root", cache=CacheMode.UNSAFE)
    argv = line(disks=(dataclasses.replace(disk, write_log=Path("/r/a,b.log")),))
    (logged,) = (json.loads(value) for value in values(argv, "-blockdev"))
    (plain,) = (json.loads(value) for value in values(line(disks=(disk,)), "-blockdev"))
    assert {**logged["file"], "node-name": "disk0"} == plain
    assert (logged["driver"], logged["node-name"]) == ("blklogwrites", "disk0")
    assert logged["log"]["filename"] == "/r/a,b.log"
    assert logged["cache"]["no-flush"] is False, "or no flush is logged"
    (device,) = (value for value in values(argv, "-device") if value.startswith("virtio-blk"))
    assert device == "virtio-blk-pci,id=block0,drive=disk0,serial=root,write-zeroes=off"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_a_comma_in_a_path_does_not_become_an_option(name: str) -> None:
    (console,) = [value for value in values(line(console=Path(name)), "-chardev") if "id=console" in value]
    path = console.removeprefix("file,id=console,path=").removesuffix(",append=on")
    assert path.replace(",,", "").count(",") == 0
    assert path.replace(",,", ",") == str(Path(name))
