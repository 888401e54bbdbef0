# SPDX-License-Identifier: GPL-3.0-only
"""The console: what is trouble, what is noise, and what a terminal may see."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.console import TROUBLES, readable, troubles_in
from harness.model.timeline import ConsoleLine
from harness.qemu.console import ConsoleFollower

# Lines as kernels 5.10 to 6.12 print them, one or more for every row of the table.
TROUBLE = {
    "panic": ["[    2.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"],
    "double-fault": ["[   11.3] traps: PANIC: double fault, error_code: 0x0"],
    "oops": [
        "[   33.1] Oops: 0002 [#1] PREEMPT SMP NOPTI",
        "[   33.1] Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI",
        "[    1.177568] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI",
    ],
    "general-protection": [
        "[    9.9] general protection fault, probably for non-canonical address 0xde: 0000"
    ],
    "soft-lockup": ["[   60.0] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [snapd:512]"],
    "hard-lockup": ["[   60.0] NMI watchdog: Watchdog detected hard LOCKUP on cpu 0"],
    "rcu-stall": [
        "[   81.0] rcu: INFO: rcu_preempt self-detected stall on CPU",
        "[   81.0] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
        "[   81.0] rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... }",
    ],
    "hung-task": ["[  241.5] INFO: task systemd:1 blocked for more than 120 seconds."],
    "kernel-bug": [
        "[    5.0] kernel BUG at mm/slub.c:435!",
        "[    5.0] BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "[    5.0] BUG: unable to handle page fault for address: ffffc90000a00000",
    ],
    "filesystem-error": [
        "[   20.0] EXT4-fs error (device vda): ext4_lookup:1785: inode #12: comm snapd: deleted inode",
        "[   20.0] SQUASHFS error: zlib decompression failed, data probably corrupt",
    ],
    "disk-error": ["[   20.0] I/O error, dev vda, sector 2048 op 0x1:(WRITE) flags 0x0"],
    "kernel-warning": ["[    4.0] WARNING: CPU: 1 PID: 77 at kernel/workqueue.c:1635 __queue_work+0x2f0"],
    "out-of-memory": ["[   70.0] Out of memory: Killed process 533 (snapd) total-vm:1258840kB"],
    "memory-cgroup": ["[   70.0] Memory cgroup out of memory: Killed process 9 (x) total-vm:1kB"],
    "segfault": ["[   70.0] bluetoothd[644]: segfault at 10 ip 000055d0 sp 00007ffe error 4 in bluetoothd"],
    "emergency-mode": ['You are in emergency mode. After logging in, type "journalctl -xb" to view'],
}

NOISE = [
    "[    0.000000] Command line: console=ttyS0 panic=-1 oops=panic",
    "[    0.06] Spectre V2 : Mitigation: Retpolines",
    "[    0.2] rcu: Hierarchical RCU implementation.",
    "[    0.2] rcu: \tRCU CPU stall warnings via panic_on_rcu_stall are off.",
    "[    0.5] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
    "[    1.0] EXT4-fs (vda): mounted filesystem with ordered data mode. Quota mode: none.",
    "[    2.0] systemd[1]: Starting systemd-oomd.service - Userspace Out-Of-Memory (OOM) Killer...",
    "[  OK  ] Reached target emergency.target is not needed",
    "[    3.0] audit: type=1400 audit(1.1:2): apparmor=\"STATUS\" operation=\"profile_load\"",
    "[    4.0] DEBUG: nothing",
    "",
]  # fmt: skip


def test_every_row_of_the_table_has_an_example_here() -> None:
    assert [row.name for row in TROUBLES] == list(dict.fromkeys(row.name for row in TROUBLES))
    assert {row.name for row in TROUBLES} == set(TROUBLE)


@pytest.mark.parametrize(("name", "line"), [(name, line) for name in TROUBLE for line in TROUBLE[name]])
def test_trouble_is_seen_as_what_it_is(name: str, line: str) -> None:
    found = {trouble.name for trouble in troubles_in(line)}
    assert found == {name}


@pytest.mark.parametrize("line", NOISE)
def test_noise_is_no_trouble(line: str) -> None:
    assert not list(troubles_in(line))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\x1b[0;32m  OK  \x1b[0m] done\r\n", "  OK  ] done"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]0;title\x1b\\text", "text"),
        (b"a\x07b\x00", "a\\x07b\\x00"),
        (b"tab\tstays", "tab\tstays"),
        (b"\xff\xc3\xa9", "\N{REPLACEMENT CHARACTER}\u00e9"),
        (b"\x1bc\x1b(B", "\\x1bc\\x1b(B"),
    ],
)
def test_what_a_terminal_would_obey_is_not_passed_on(raw: bytes, shown: str) -> None:
    assert readable(raw) == shown


@given(st.binary())
def test_no_control_character_survives(raw: bytes) -> None:
    assert not [char for char in readable(raw) if unicodedata.category(char) == "Cc" and char not in "\t\n"]


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_lines_do_not_depend_on_how_they_arrive(chunks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "console.log")
        slow, fast = ConsoleFollower(path), ConsoleFollower(path)
        lines: list[ConsoleLine] = []
        for chunk in chunks:
            with path.open("ab") as file:
                file.write(chunk)
            lines.extend(slow.new_lines())
        assert tuple(lines) == fast.new_lines()
        assert [line.line for line in lines] == list(range(1, len(lines) + 1))
        assert slow.tail() == fast.tail()
        assert slow.size == sum(map(len, chunks))


def test_a_console_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    follower = ConsoleFollower(tmp_path / "console.log")
    assert follower.size == 0
    assert follower.new_lines() == ()
    assert follower.tail() == ()


def test_the_tail_has_the_line_that_never_ended(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"one\ntwo\nKernel pan")
    follower = ConsoleFollower(tmp_path / "c")
    assert follower.tail(2) == ("two", "Kernel pan")


def test_trouble_is_told_once_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"fine\nKernel panic - not syncing: x\n")
    follower = ConsoleFollower(tmp_path / "c")
    (seen,) = follower.new_troubles()
    assert (seen.line.line, seen.trouble.name) == (2, "panic")
    assert list(follower.new_troubles()) == []


def test_tail_does_not_eat_trouble(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"Kernel panic - not syncing: x\n")
    follower = ConsoleFollower(tmp_path / "c")
    assert follower.tail() == ("Kernel panic - not syncing: x",)
    assert [seen.trouble.name for seen in follower.new_troubles()] == ["panic"]
