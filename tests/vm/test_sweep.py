# SPDX-License-Identifier: GPL-3.0-only
"""A toy guest, with a kernel's own ext4, writes two files: one replaced by renaming, one in place.

Its writes are recorded, and a sweep over every cut must find that one can be torn and that the other cannot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cut.ext4 import Ext4
from harness.cut.policy_files import PolicyReader
from harness.cut.states import Choice, chosen_epochs, cuts, epochs
from harness.cut.walk import walk
from harness.guest.cpio import Entry, archive
from harness.host.deadline import Deadline
from harness.host.process import run
from harness.image.build import Image, build_image
from harness.image.workshop import open_workshop
from harness.model.sweep import DistinctState, How, SweepResult
from harness.qemu.accel import choose
from harness.qemu.command import CacheMode, DirectKernel, Disk, DiskFormat, MachineSpec
from harness.qemu.instance import start
from harness.scenario.catalogue import load_catalogue
from harness.sweep import Recording, bootable, sweep
from harness.sweep.recording import opened
from harness.sweep.second_reader import read_with_tools
from harness.sweep.state_disk import state_disk
from tests.vm.conftest import IMAGE, ROOT

# What is made once for the module would else be made on every worker.
pytestmark = [pytest.mark.vm, pytest.mark.xdist_group("sweep")]

GENERATIONS = 5
IN_PLACE, RENAMED, PATHS = "/p/in-place", "/p/renamed", ("/p",)
SECONDS = 600.0

BEGIN = """\
#!/bin/sh
export PATH=/bin
mkdir -p /proc /sys /dev /mnt
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
mount -t ext4 -o rw /dev/vda /mnt || poweroff -f
exec >/dev/console
"""
WRITE = f"""\
mkdir -p /mnt/p
for generation in $(busybox seq {GENERATIONS}); do
    content() {{ echo generation $generation; busybox seq 2000; echo end of $generation; }}
    : >/mnt{IN_PLACE}; busybox sync
    content >/mnt{IN_PLACE}; busybox sync
    content >/mnt{RENAMED}.new; busybox sync
    busybox mv /mnt{RENAMED}.new /mnt{RENAMED}; busybox sync
done
echo toy-wrote
poweroff -f
"""
READ = f"""\
for file in {IN_PLACE} {RENAMED}; do echo toy-read $file $(busybox sha256sum </mnt$file); done
poweroff -f
"""


def content(generation: int) -> bytes:
    lines = [f"generation {generation}", *map(str, range(1, 2001)), f"end of {generation}"]
    return "".join(f"{line}\n" for line in lines).encode()


WHOLE = {hashlib.sha256(content(generation)).hexdigest() for generation in range(1, GENERATIONS + 1)}


@dataclass(frozen=True)
class Toy:
    """What starts the toy guest: with a script, and a disk, whose writes can be logged."""

    image: Image
    directory: Path

    def run(self, script: str, disk: Path, write_log: Path | None = None) -> str:
        """Run the guest until it has switched itself off; returns what it said."""
        accelerator = choose(self.image.kernel, self.image.initrd, open_workshop().store.root)
        initrd = self.directory / "initrd"
        initrd.write_bytes(
            self.image.initrd.read_bytes() + archive({"init": Entry((BEGIN + script).encode(), 0o755)})
        )
        console = self.directory / f"{disk.stem}.console"
        spec = MachineSpec(
            name="toy",
            memory_mib=256,
            cpus=1,
            accelerator=accelerator.option,
            cpu_model=accelerator.cpu_model,
            boot=DirectKernel(self.image.kernel, initrd, "console=ttyS0 quiet panic=-1"),
            console=console,
            disks=(Disk(path=disk, serial="root", cache=CacheMode.UNSAFE, write_log=write_log),),
        )
        deadline = Deadline.after(SECONDS)
        with start(spec, self.directory / "qemu.log", deadline) as instance:
            instance.wait_for("SHUTDOWN", deadline)
            instance.quit(deadline)
        return console.read_text()


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    catalogue = load_catalogue(ROOT / "images/catalogue.yaml")
    return Toy(build_image(catalogue.images[IMAGE], open_workshop()), tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def recording(toy: Toy) -> Recording:
    base, overlay, log = (toy.directory / name for name in ("base.raw", "overlay.qcow2", "log"))
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1,nodiscard", base, "32M"])
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, overlay])
    log.touch()
    assert "toy-wrote" in toy.run(WRITE, overlay, log)
    return Recording(base=base, log=log, base_format=DiskFormat.RAW)


@pytest.fixture(scope="module")
def swept(toy: Toy, recording: Recording) -> SweepResult:
    return sweep(recording, toy.directory / "sweep", print, paths=PATHS)


def contents_of(path: str, result: SweepResult) -> Iterator[tuple[DistinctState, str | None]]:
    """What a file holds in each state: a digest, or None where it is not there."""
    last = hashlib.sha256(content(GENERATIONS)).hexdigest()
    for state in result.distinct:
        assert state.trouble == "", str(state.cut)
        mine = [differs for differs in state.differs if differs.path == path]
        yield state, (None if mine[0].how is How.MISSING else mine[0].content) if mine else last


def test_every_cut_is_looked_at(swept: SweepResult) -> None:
    assert swept.complete
    assert swept.coverage == f"{swept.states} of {swept.states} states"
    assert swept.states == 1 + swept.flushes + swept.writes
    assert swept.flushes >= 4 * GENERATIONS
    assert sum(state.states for state in swept.distinct) == swept.states


def test_a_file_written_in_place_is_found_torn(swept: SweepResult) -> None:
    torn = [
        state for state, digest in contents_of(IN_PLACE, swept) if digest is not None and digest not in WHOLE
    ]
    sizes = {differs.size for state in torn for differs in state.differs if differs.path == IN_PLACE}
    assert 0 in sizes
    assert sum(state.states for state in torn) >= GENERATIONS


def test_a_file_replaced_by_renaming_never_is(swept: SweepResult) -> None:
    found = {digest for _, digest in contents_of(RENAMED, swept)}
    assert found == WHOLE | {None}, "each generation, and none before the first"


def test_e2fsprogs_read_the_same_in_every_kind_of_state(toy: Toy, recording: Recording) -> None:
    with opened(recording, toy.directory) as it:
        entries, choice = it.log.entries, Choice()
        all_epochs = epochs(entries)
        some = cuts(entries, chosen_epochs(all_epochs, choice), choice)[::7]
        reader = PolicyReader(Ext4(it.contents), PATHS)
        for cut, view in walk(it.contents, entries, all_epochs, some):
            mine = dict(reader.read(view).files)
            with state_disk(it, cut, toy.directory / "state.raw") as disk:
                assert mine == dict(read_with_tools(disk, 0, PATHS)), str(cut)


def test_a_guest_finds_what_the_sweep_says(toy: Toy, recording: Recording, swept: SweepResult) -> None:
    in_place = {state.digest: digest for state, digest in contents_of(IN_PLACE, swept)}
    renamed = {state.digest: digest for state, digest in contents_of(RENAMED, swept)}
    state = next(
        state
        for state in swept.distinct
        if in_place[state.digest] not in (None, *WHOLE) and renamed[state.digest]
    )
    disk = bootable(recording, state.cut, toy.directory / "sweep", toy.directory / "torn.qcow2")
    said = toy.run(READ, disk)
    assert f"toy-read {IN_PLACE} {in_place[state.digest]}" in said
    assert f"toy-read {RENAMED} {renamed[state.digest]}" in said
