# SPDX-License-Identifier: GPL-3.0-only
"""The accelerator is chosen by what a micro-boot does, not by what exists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import GuestFailed, HostLacks, InstanceDied
from harness.qemu.accel import CACHE_FILE, MARKER, choose, micro_boot
from harness.qemu.command import DirectKernel
from tests.qemu.tiny_kernel import HALT, PANIC, POWER_OFF, RESET, say, write_kernel

pytestmark = pytest.mark.qemu

NO_KVM = Path("/nonexistent/kvm")
CPU = "Nehalem,-cx16"
LINE = say(f"{MARKER}\n")


def test_without_kvm_the_emulator_is_used_and_the_reason_kept(tmp_path: Path) -> None:
    kernel = write_kernel(tmp_path / "kernel", LINE, POWER_OFF)
    chosen = choose(kernel, None, tmp_path / "cache", kvm=NO_KVM)
    assert chosen.kind == "tcg"
    assert chosen.option.startswith("tcg,thread=")
    assert chosen.cpu_model.startswith("Nehalem")
    assert chosen.why == f"{NO_KVM} does not open: No such file or directory"
    assert chosen.host_factor > 0


def test_a_device_that_opens_and_does_not_work_is_not_used(tmp_path: Path) -> None:
    # A file opens as well as /dev/kvm does; QEMU does not look at it, so this holds on a host with
    # a working KVM because this kernel resets the machine under any accelerator.
    kernel = write_kernel(tmp_path / "kernel", RESET)
    opens = tmp_path / "kvm"
    opens.touch()
    with pytest.raises(GuestFailed, match="cannot micro-boot"):
        choose(kernel, None, tmp_path / "cache", kvm=opens)
    assert not (tmp_path / "cache").exists()


def test_the_answer_is_remembered_for_this_kernel_only(tmp_path: Path) -> None:
    kernel = write_kernel(tmp_path / "kernel", LINE, POWER_OFF)
    cache = tmp_path / "cache"
    first = choose(kernel, None, cache, kvm=NO_KVM)
    file = cache / CACHE_FILE
    kept = json.loads(file.read_text())
    (answer,) = kept.values()
    answer["why"] = "remembered"
    file.write_text(json.dumps({**kept, "an-earlier-boot of the host": answer}))
    assert choose(kernel, None, cache, kvm=NO_KVM).why == "remembered"
    write_kernel(kernel, say("other\n"), LINE, POWER_OFF)
    assert choose(kernel, None, cache, kvm=NO_KVM).why == first.why
    assert len(json.loads(file.read_text())) == 2, "both kernels' answers, and not the earlier boot's"
    assert [path.name for path in cache.iterdir()] == [CACHE_FILE]


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"key": 1}', '{"key": "x", "accelerator": {"odd": 1}}'])
def test_a_torn_cache_is_measured_anew(tmp_path: Path, torn: str) -> None:
    (tmp_path / CACHE_FILE).write_text(torn)
    kernel = write_kernel(tmp_path / "kernel", LINE, POWER_OFF)
    assert choose(kernel, None, tmp_path, kvm=NO_KVM).kind == "tcg"


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        (RESET, "the guest reset itself"),
        (PANIC, "the machine is panicked"),
        (HALT, "last seen: warming up"),
        (LINE + HALT, "to switch itself off"),
    ],
    ids=["resets", "panics", "hangs", "stays-on"],
)
def test_a_kernel_that_does_not_pass(tmp_path: Path, code: bytes, complaint: str) -> None:
    kernel = write_kernel(tmp_path / "kernel", say("warming up\n"), code)
    with pytest.raises(GuestFailed, match=complaint) as caught:
        micro_boot("tcg", CPU, DirectKernel(kernel, None, ""), limit=1.0)
    assert "console| warming up" in str(caught.value)


def test_an_accelerator_that_qemu_does_not_know(tmp_path: Path) -> None:
    kernel = write_kernel(tmp_path / "kernel", LINE, POWER_OFF)
    with pytest.raises(InstanceDied, match="no-such-accelerator"):
        micro_boot("no-such-accelerator", CPU, DirectKernel(kernel, None, ""))


def test_a_missing_kernel_or_qemu_is_what_the_host_lacks(tmp_path: Path) -> None:
    with pytest.raises(HostLacks, match="cannot read"):
        choose(tmp_path / "kernel", None, tmp_path)
    with pytest.raises(HostLacks, match="qemu-system-x86"):
        choose(tmp_path / "kernel", None, tmp_path, program=str(tmp_path / "qemu-system-x86_64"))
