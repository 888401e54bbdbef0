# SPDX-License-Identifier: GPL-3.0-only
"""Which QEMU this is, which ones are distrusted, and the CPU and threads that each is trusted with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import HostLacks
from harness.host.process import run
from harness.qemu.command import PROGRAM


@dataclass(frozen=True, slots=True, order=True)
class QemuVersion:
    """`text` is the first line of `--version`, with the distribution's own version in it."""

    major: int
    minor: int
    micro: int
    text: str = ""

    @property
    def short(self) -> str:
        return f"{self.major}.{self.minor}.{self.micro}"


@dataclass(frozen=True, slots=True)
class Distrust:
    """A fault of the QEMUs before `before`, what the harness does about it, and what would be better."""

    before: QemuVersion
    fault: str
    answer: str
    better: str


# Seen with 7.2.22: panics behind an instruction that the kernel was patching on its other CPU (a static
# key's two-byte NOP in crng_make_state, the trap's address one past its first byte). The kernel writes
# int3 over the first byte and takes it away when every CPU has been told (arch/x86/kernel/alternative.c);
# before 8.1 TCG can go on with a translation made in between, because it does not lock the page that it
# translates (fixed by "accel/tcg: Always lock pages before translation"). Seen once with 10.0.2 all the same,
# in blake2s_compress at a boot; that seldom, boots in two thirds of the time are worth it.
_SAFE_THREADS = QemuVersion(8, 1, 0)

ONE_THREAD = "tcg,thread=single"
"""All of a guest's CPUs in one thread of QEMU: for machines side by side, whatever the version.

With a thread for each, one in a hundred boots under 10.0.2 hung or panicked while another machine kept the
host's CPUs busy (docs/design.md). Where they are busy anyway it is no slower, for 8 % more CPU time."""

# Seen with 7.2.22: double faults behind `cmpxchg16b %gs:(%rsi)` in the kernel's allocator, and a PID
# 1 frozen on heap corruption under `-cpu max`; none with cx16 hidden from the guest. Not seen with
# 10.0.2 under Nehalem or max. What lies between was not tried and is trusted from 8 on.
DISTRUSTED: tuple[Distrust, ...] = (
    Distrust(
        before=_SAFE_THREADS,
        fault="its emulator (TCG) loses a race when one CPU patches code that another runs: guests panic",
        answer="the guest's CPUs share one thread, and a boot takes half as long again",
        better="QEMU 10, from Debian 13 or the backports of Debian 12",
    ),
    Distrust(
        before=QemuVersion(8, 0, 0),
        fault="its emulator (TCG) seems to get cmpxchg16b wrong: guests panic or freeze at random",
        answer="the guest's CPU is given without that instruction (Nehalem,-cx16)",
        better="QEMU 10, from Debian 13 or the backports of Debian 12, is also about a quarter faster",
    ),
    Distrust(
        before=QemuVersion(6, 2, 0),
        fault="it lacks `-action` or takes no JSON for `-blockdev` and `-device`",
        answer="nothing: the machine may not start",
        better="use QEMU 7.2 or newer",
    ),
)


def distrust_of(version: QemuVersion) -> tuple[Distrust, ...]:
    """The rows of the table that apply."""
    return tuple(row for row in DISTRUSTED if version < row.before)


def cpu_model_for(version: QemuVersion, accelerator: str) -> str:
    """The CPU model a guest gets; it is written to the record.

    A named model, and not `max`, keeps what the guest sees the same from one QEMU to the next.
    Under KVM the host's own CPU is the one that needs no emulation.
    """
    if accelerator == "kvm":
        return "host"
    return "Nehalem,-cx16" if version < QemuVersion(8, 0, 0) else "Nehalem"


def accelerator_option(version: QemuVersion, accelerator: str) -> str:
    """The value of `-accel`; it is written to the record."""
    if accelerator != "tcg":
        return accelerator
    return ONE_THREAD if version < _SAFE_THREADS else "tcg,thread=multi"


def parse_version(output: str) -> QemuVersion:
    """Read what `qemu-system-x86_64 --version` prints.

    :raise HostLacks: it is not QEMU's.
    """
    found = re.search(r"\bversion (\d+)\.(\d+)(?:\.(\d+))?", output)
    if found is None:
        first = (output.splitlines() or ["nothing"])[0]
        raise HostLacks(f"cannot tell the version of QEMU: it prints {first!r}")
    major, minor, micro = (int(part or 0) for part in found.groups())
    return QemuVersion(major, minor, micro, output.splitlines()[0].strip())


def read_version(program: str = PROGRAM) -> QemuVersion:
    """:raise HostLacks: there is no such program."""
    return parse_version(run([program, "--version"], timeout=60).stdout.decode("utf-8", "replace"))
