# SPDX-License-Identifier: GPL-3.0-only
"""KVM only where a micro-boot shows that it works, and how slow this host is.

`/dev/kvm` that opens, starts the firmware and then kills a stock kernel ("KVM internal error") is
common on cloud machines, so nothing short of booting one is evidence. The same boot, timed, says
how much longer than on the reference host everything takes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import CannotMeasure, GuestFailed, HostLacks
from harness.host.deadline import Deadline, NotYet, monotonic, wait_until
from harness.host.facts import read_boot_id
from harness.qemu.command import PROGRAM, DirectKernel, MachineSpec
from harness.qemu.console import ConsoleFollower
from harness.qemu.instance import Instance, State, start
from harness.qemu.versions import QemuVersion, accelerator_option, cpu_model_for, read_version

MARKER = "harness-microboot-ok"
CMDLINE = "harness.microboot=1 console=ttyS0 panic=-1"
REFERENCE_SECONDS = 2.6
"""An image of Debian's 6.12 kernel with its 5.7 MB initrd, QEMU 7.2 without KVM, on a quiet two-core
host: what the nominal time-outs were measured on."""
KVM_SECONDS = 10.0
"""Where KVM works the boot takes under a second; where it does not, it often hangs silently."""
TCG_SECONDS = 120.0
CACHE_FILE = "accelerator.json"


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What machines run with on this host; `host_factor` multiplies nominal seconds (Patience).

    `kind` is `kvm` or `tcg`, `option` what QEMU's `-accel` is given for it.
    """

    kind: str
    option: str
    cpu_model: str
    host_factor: float
    why: str


def choose(
    kernel: Path,
    initrd: Path | None,
    cache: Path,
    *,
    program: str = PROGRAM,
    kvm: Path = Path("/dev/kvm"),
) -> Accelerator:
    """The accelerator for this host, from `cache` when this boot has asked before.

    The kernel must print MARKER and switch off when CMDLINE tells it to micro-boot.

    :raise GuestFailed: the kernel does not boot even without KVM.
    :raise HostLacks: there is no QEMU.
    """
    version = read_version(program)
    key = f"{read_boot_id()} {version.text} {_digest(kernel)} {_digest(initrd)} {_opens(kvm)}"
    known = _remembered(cache, key)
    if known is None:
        boot = DirectKernel(kernel, initrd, CMDLINE)
        known = _measured(boot, program, version, kvm)
        _remember(cache, key, known)
    return known


def _measured(boot: DirectKernel, program: str, version: QemuVersion, kvm: Path) -> Accelerator:
    refusal = _opens(kvm)
    if not refusal:
        try:
            return _tried("kvm", boot, program, version, "a micro-boot under KVM worked", KVM_SECONDS)
        except HostLacks:
            raise
        except CannotMeasure as error:
            refusal = f"a micro-boot under KVM failed: {_one_line(error.message)}"
    return _tried("tcg", boot, program, version, refusal, TCG_SECONDS)


def _tried(
    kind: str, boot: DirectKernel, program: str, version: QemuVersion, why: str, limit: float
) -> Accelerator:
    model = cpu_model_for(version, kind)
    option = accelerator_option(version, kind)
    seconds = micro_boot(option, model, boot, program=program, limit=limit)
    return Accelerator(kind, option, model, round(seconds / REFERENCE_SECONDS, 2), why)


def micro_boot(
    accelerator: str,
    cpu_model: str,
    boot: DirectKernel,
    *,
    program: str = PROGRAM,
    limit: float = TCG_SECONDS,
) -> float:
    """Seconds from QEMU's start to the kernel's MARKER, after which it must switch itself off.

    :raise GuestFailed: it panicked, reset itself or hung; carries the console.
    :raise InstanceDied: QEMU ended, as it does when it cannot use the accelerator.
    """
    deadline = Deadline.after(limit)
    with tempfile.TemporaryDirectory(prefix="micro-boot-") as scratch:
        spec = MachineSpec(
            name="micro-boot",
            memory_mib=256,
            cpus=1,
            accelerator=accelerator,
            cpu_model=cpu_model,
            boot=boot,
            console=Path(scratch, "console.log"),
            program=program,
        )
        console = ConsoleFollower(spec.console)
        began = monotonic()
        with start(spec, Path(scratch, "qemu.log"), deadline) as instance, _explained(console):
            wait_until(lambda: _said_marker(console, instance), deadline, what=f"{MARKER} on the console")
            seconds = monotonic() - began
            wait_until(lambda: _switched_off(instance), deadline, what="the guest to switch itself off")
            return seconds


@contextmanager
def _explained(console: ConsoleFollower) -> Iterator[None]:
    try:
        yield
    except CannotMeasure as error:
        raise GuestFailed(
            f"cannot micro-boot: {error.message}", hint=error.hint, console_tail=console.tail()
        ) from error


def _said_marker(console: ConsoleFollower, instance: Instance) -> bool | NotYet:
    _require_sane(instance)
    tail = console.tail()
    return any(MARKER in line for line in tail) or NotYet(tail[-1] if tail else "an empty console")


def _switched_off(instance: Instance) -> bool:
    _require_sane(instance)
    return instance.state is State.SHUT_DOWN


def _require_sane(instance: Instance) -> None:
    instance.raise_if_dead()
    if instance.state in (State.PANICKED, State.BROKEN):
        raise CannotMeasure(f"the machine is {instance.state.value}")
    if any(event.name == "RESET" and event.data.get("guest") for event in instance.events):
        raise CannotMeasure("the guest reset itself")


def _one_line(message: str) -> str:
    return " ".join(message.split())[:300]


def _opens(kvm: Path) -> str:
    """Why the device cannot be used, or nothing when it can be opened."""
    try:
        os.close(os.open(kvm, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{kvm} does not open: {error.strerror}"
    return ""


def _digest(path: Path | None) -> str:
    if path is None:
        return "-"
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise HostLacks(f"cannot read {path}: {error.strerror}") from error


def _remembered(cache: Path, key: str) -> Accelerator | None:
    """None when nobody asked for this key, or the file is not there or not ours."""
    try:
        return Accelerator(**_answers(cache)[key])
    except (KeyError, TypeError):
        return None


def _remember(cache: Path, key: str, accelerator: Accelerator) -> None:
    """Keep the answer beside those of other kernels, and none of an earlier boot of the host."""
    boot = key.split(maxsplit=1)[0]
    kept = {old: answer for old, answer in _answers(cache).items() if old.startswith(boot)}
    cache.mkdir(parents=True, exist_ok=True)
    # Renamed into place: two runs that measure at once never leave a torn file.
    with tempfile.NamedTemporaryFile("w", dir=cache, prefix=CACHE_FILE, delete=False) as file:
        json.dump(kept | {key: asdict(accelerator)}, file)
    Path(file.name).replace(cache / CACHE_FILE)


def _answers(cache: Path) -> dict[str, dict[str, Any]]:
    try:
        answers = json.loads((cache / CACHE_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return answers if isinstance(answers, dict) else {}
