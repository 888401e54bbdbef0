# SPDX-License-Identifier: GPL-3.0-only
"""Which QEMU is which, and what is thought of it."""

from __future__ import annotations

import pytest

from harness.errors import HostLacks
from harness.qemu.usernet import Forward, parse_forwards
from harness.qemu.versions import (
    QemuVersion,
    accelerator_option,
    cpu_model_for,
    distrust_of,
    parse_version,
    read_version,
)

DEBIAN_12 = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022\n"
DEBIAN_13 = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright (c) 2003-2025\n"


@pytest.mark.parametrize(
    ("output", "short", "text"),
    [
        (DEBIAN_12, "7.2.22", DEBIAN_12.splitlines()[0]),
        (DEBIAN_13, "10.0.2", DEBIAN_13.splitlines()[0]),
        ("QEMU emulator version 8.2", "8.2.0", "QEMU emulator version 8.2"),
    ],
)
def test_the_version_is_read_from_the_first_line(output: str, short: str, text: str) -> None:
    version = parse_version(output)
    assert (version.short, version.text) == (short, text)


@pytest.mark.parametrize("output", ["", "bash: qemu: odd\n", "version x.y"])
def test_what_is_not_qemu_is_refused(output: str) -> None:
    with pytest.raises(HostLacks, match="cannot tell the version of QEMU"):
        parse_version(output)


def test_ten_is_newer_than_seven() -> None:
    assert parse_version(DEBIAN_13) > parse_version(DEBIAN_12)


def test_cmpxchg16b_is_hidden_only_from_guests_of_the_old_emulator() -> None:
    old, new = parse_version(DEBIAN_12), parse_version(DEBIAN_13)
    assert cpu_model_for(old, "tcg") == "Nehalem,-cx16"
    assert cpu_model_for(new, "tcg") == "Nehalem"
    assert cpu_model_for(old, "kvm") == cpu_model_for(new, "kvm") == "host"


def test_an_emulator_that_loses_races_gets_one_thread() -> None:
    old, new = parse_version(DEBIAN_12), parse_version(DEBIAN_13)
    assert accelerator_option(old, "tcg") == "tcg,thread=single"
    assert accelerator_option(QemuVersion(8, 1, 0), "tcg") == "tcg,thread=multi"
    assert accelerator_option(new, "tcg") == "tcg,thread=multi"
    assert accelerator_option(old, "kvm") == accelerator_option(new, "kvm") == "kvm"


def test_distrust_says_what_is_wrong_what_is_done_and_what_is_better() -> None:
    threads, instruction = distrust_of(parse_version(DEBIAN_12))
    assert "race" in threads.fault
    assert "one thread" in threads.answer
    assert "QEMU 10" in threads.better
    assert "cmpxchg16b" in instruction.fault
    assert "-cx16" in instruction.answer
    assert "QEMU 10" in instruction.better
    assert distrust_of(parse_version(DEBIAN_13)) == ()
    assert len(distrust_of(QemuVersion(5, 2, 0))) == 3


@pytest.mark.qemu
def test_the_qemu_of_this_host_has_a_version() -> None:
    assert read_version().major >= 6


USERNET = """Hub -1 (net0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   14       127.0.0.1 40000       10.0.2.15    22     0     0
  TCP[HOST_FORWARD]  12       127.0.0.1 38391       10.0.2.15    22     0     0
  UDP[2 sec]         15       10.0.2.15   500        10.0.2.3    53     0     0
net1:
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[HOST_FORWARD]  13               *  8080       10.0.3.15    80     0     0
"""


def test_only_listening_ports_are_forwards() -> None:
    assert parse_forwards(USERNET) == (Forward("127.0.0.1", 38391, 22), Forward("*", 8080, 80))
    assert parse_forwards("") == ()
