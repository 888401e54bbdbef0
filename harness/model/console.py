# SPDX-License-Identifier: GPL-3.0-only
"""What trouble looks like on a Linux console: a table. Adding a check is adding a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What the line means for the boot it is in."""

    FATAL = "fatal"  # the kernel has stopped; nothing else will come from this boot
    BROKEN = "broken"  # the kernel or its data is damaged; what follows proves little
    NOTABLE = "notable"  # a process died or a unit failed; the kernel is well


@dataclass(frozen=True, slots=True)
class Trouble:
    """A kind of trouble; `name` is what a scenario's `allow` calls it."""

    name: str
    pattern: re.Pattern[str]
    severity: Severity


def _row(name: str, pattern: str, severity: Severity) -> Trouble:
    return Trouble(name, re.compile(pattern), severity)


# The texts are the kernel's own format strings, with the file of Linux 6.1 that prints each; 6.12 says what
# an oops is of before its number.
TROUBLES: tuple[Trouble, ...] = (
    _row("panic", r"Kernel panic - not syncing", Severity.FATAL),  # kernel/panic.c
    _row("double-fault", r"\bdouble fault\b", Severity.FATAL),  # arch/x86/kernel/traps.c
    _row("oops", r"\bOops: (?:.+: )?[0-9a-f]{4} \[#\d+\]", Severity.BROKEN),  # arch/x86/kernel/dumpstack.c
    _row("general-protection", r"general protection fault, ", Severity.BROKEN),  # traps.c
    _row("soft-lockup", r"watchdog: BUG: soft lockup", Severity.BROKEN),  # kernel/watchdog.c
    _row("hard-lockup", r"Watchdog detected hard LOCKUP", Severity.BROKEN),  # watchdog_hld.c
    _row("rcu-stall", r"rcu: INFO: rcu_\w+ (?:self-)?detected.* stall", Severity.BROKEN),  # tree_stall.h
    _row("hung-task", r"INFO: task .+ blocked for more than \d+ seconds", Severity.BROKEN),  # hung_task.c
    _row("kernel-bug", r"\bkernel BUG at |\bBUG: (?!soft lockup)", Severity.BROKEN),  # lib/bug.c
    _row("filesystem-error", r"\bEXT4-fs error\b|\bSQUASHFS error:", Severity.BROKEN),  # fs/ext4/super.c
    _row("disk-error", r"\bI/O error, dev ", Severity.BROKEN),  # block/blk-core.c
    _row("kernel-warning", r"\bWARNING: CPU: \d+ PID: \d+ at ", Severity.NOTABLE),  # kernel/panic.c
    _row("out-of-memory", r"\bOut of memory: Killed process\b", Severity.NOTABLE),  # mm/oom_kill.c
    _row("memory-cgroup", r"\bMemory cgroup out of memory: Killed", Severity.NOTABLE),  # mm/oom_kill.c
    _row("segfault", r"\bsegfault at [0-9a-f]+ ip ", Severity.NOTABLE),  # arch/x86/mm/fault.c
    _row("emergency-mode", r"\bYou are in emergency mode\b", Severity.FATAL),  # systemd: emergency.service
)  # fmt: skip

# ECMA-48 control sequences, and operating system commands, which a terminal obeys.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def readable(raw: bytes) -> str:
    """A console line as text that is safe on a terminal: escapes dropped, other controls shown as \\xNN."""
    text = _ESCAPES.sub("", raw.decode("utf-8", "replace").rstrip("\r\n"))
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def troubles_in(line: str) -> Iterator[Trouble]:
    """Every kind of trouble that a line (see `readable`) shows; most lines show none."""
    return (trouble for trouble in TROUBLES if trouble.pattern.search(line))
