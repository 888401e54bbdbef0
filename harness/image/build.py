# SPDX-License-Identifier: GPL-3.0-only
"""Recipe -> guest image: a disk, a kernel and an initrd, kept by content."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Mistake
from harness.host import process
from harness.host.programs import find_program
from harness.image import debs, replica, rootfs
from harness.image.archive import Resolution
from harness.image.debs import Deb
from harness.image.digest import key_of, sha256_of, tree_digest, write_json
from harness.image.initrd import find_busybox, initrd
from harness.image.kernel import Kernel, cut_kernel, find_kernel
from harness.image.recipe import DebSource, DiskRecipe, KernelFiles, KernelRecipe, Recipe, SuiteRecipe, Unpack
from harness.image.recipe_file import load_recipe
from harness.image.store import MIB, discard
from harness.image.tree import Tree
from harness.image.workshop import Workshop
from harness.model.catalogue import ImageEntry, SuitePackage

# The root as a tar and again unpacked, the kernel package unpacked, and the disk.
_NEEDS = 2500 * MIB


@dataclass(frozen=True, slots=True)
class Image:
    """A built guest: `disk` is a qcow2 that nobody writes to, `root` the device it boots from.

    `our_initrd` says that the initrd runs what a run seeds before systemd starts.
    """

    name: str
    key: str
    disk: Path
    kernel: Path
    initrd: Path
    root: str
    cmdline: str
    manifest: Path
    our_initrd: bool = True


def build_image(wanted: ImageEntry | Recipe, workshop: Workshop) -> Image:
    """The image of a recipe, or of a catalogue entry's recipe; from the store when it is there.

    :raise BuildFailed: it cannot be made.
    :raise HostLacks: a tool, disk space or the mirror is missing.
    """
    recipe = load_recipe(Path(wanted.recipe)) if isinstance(wanted, ImageEntry) else wanted
    match recipe:
        case SuiteRecipe():
            return _from_suite(recipe, workshop)
        case DiskRecipe():
            return _from_disk(recipe, workshop)


def deb_of(source: DebSource, workshop: Workshop) -> Deb:
    """The deb that a recipe means, fetched or the user's own."""
    if isinstance(source, SuitePackage):
        return workshop.archive.fetch(source)
    return debs.open_deb(source)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Everything that goes into an image of a suite."""

    recipe: SuiteRecipe
    extra: tuple[Deb, ...]
    unpacked: tuple[tuple[Unpack, Deb], ...]
    packages: Resolution
    kernel: tuple[Deb, ...]
    busybox: Deb

    def inputs(self) -> dict[str, object]:
        recipe = self.recipe
        return {
            "packages": [deb.row() for deb in self.packages.debs],
            "extra": [deb.row() for deb in self.extra],
            "unpack": [[deb.row(), dict(unpack.files)] for unpack, deb in self.unpacked],
            "kernel": [deb.row() for deb in (*self.kernel, self.busybox)],
            "modules": [recipe.kernel.initrd, recipe.kernel.keep],
            "files": [tree_digest(path) for path in recipe.files],
            "init": sha256_of(recipe.init),
            "setup": sha256_of(recipe.setup) if recipe.setup else "",
            "units": recipe.mask,
            "size": recipe.size,
            **({"replica": replica.inputs(recipe.replica)} if recipe.replica else {}),
        }


def _gather(recipe: SuiteRecipe, workshop: Workshop) -> _Parts:
    extra = tuple(deb_of(source, workshop) for source in recipe.debs)
    return _Parts(
        recipe,
        extra,
        tuple((unpack, deb_of(unpack.source, workshop)) for unpack in recipe.unpack),
        workshop.archive.resolve(recipe.suite, ["?essential", *recipe.packages], extra),
        find_kernel(workshop.archive, recipe.suite, recipe.kernel.package),
        find_busybox(workshop.archive, recipe.suite),
    )


def _from_suite(recipe: SuiteRecipe, workshop: Workshop) -> Image:
    parts = _gather(recipe, workshop)
    inputs = parts.inputs()
    key = key_of(kind="image", **inputs)

    def make(directory: Path) -> None:
        _make(parts, directory, workshop)
        _write_manifest(directory, recipe, key, inputs)

    place = workshop.store.obtain("images", key, make, needs=_NEEDS)
    return _image(recipe, key, place, place / "disk.qcow2")


def _make(parts: _Parts, directory: Path, workshop: Workshop) -> None:
    recipe, scratch = parts.recipe, directory / "scratch"
    scratch.mkdir()
    try:
        workshop.tell(f"building image {recipe.name}: mmdebstrap (about 60 s)")
        root = scratch / "root.tar"
        rootfs.bootstrap(parts.packages, root, extra=parts.extra, setup=recipe.setup)
        workshop.tell(f"building image {recipe.name}: kernel and disk (about 20 s)")
        kernel = cut_kernel(parts.kernel, recipe.kernel.initrd, recipe.kernel.keep)
        _write_boot_files(kernel, recipe.init, parts.busybox, directory)
        rootfs.assemble(root, _overlay(parts, kernel, root), directory / "disk.qcow2", recipe.size)
    finally:
        discard(scratch)


def _write_boot_files(kernel: Kernel, init: Path, busybox: Deb, directory: Path) -> None:
    (directory / "vmlinuz").write_bytes(kernel.image)
    (directory / "initrd").write_bytes(initrd(kernel, init.read_bytes(), busybox))


def _overlay(parts: _Parts, kernel: Kernel, root: Path) -> Tree:
    """What lies over the packages in `root`: modules, the recipe's files, a replica, masked units."""
    tree = Tree()
    tree.entries.update(kernel.modules.entries)
    for directory in parts.recipe.files:
        tree.add_directory(directory)
    for unpack, deb in parts.unpacked:
        _unpack(tree, unpack, deb)
    if parts.recipe.replica:
        installed = Tree()
        with tarfile.open(root) as archive:
            installed.add_tar(archive, replica.is_python)
        replica.put_programs(tree, installed, parts.recipe.replica)
    for unit in parts.recipe.mask:
        tree.link(f"etc/systemd/system/{unit}", "/dev/null")
    return tree


def _unpack(tree: Tree, unpack: Unpack, deb: Deb) -> None:
    whole = Tree()
    with debs.content(deb) as content:
        whole.add_tar(content)
    for path, target in unpack.files.items():
        if path.strip("/") not in whole:
            raise Mistake(f"cannot unpack {path}: {deb.package} {deb.version} has no such file")
        entry, _ = whole.entries[whole.place(path)]
        tree.file(target.strip("/"), whole.read(path), entry.mode)


def _write_manifest(directory: Path, recipe: Recipe, key: str, inputs: dict[str, object]) -> None:
    files = sorted(path for path in directory.iterdir() if path.is_file())
    write_json(
        directory / "manifest.json",
        {
            "image": recipe.name,
            "summary": recipe.summary,
            "key": key,
            "inputs": inputs,
            "files": {path.name: sha256_of(path) for path in files},
            "tools": tool_versions(("mmdebstrap", "mke2fs", "qemu-img")),
        },
    )


_ASKED_BY = {"mke2fs": "-V", "sqfstar": "-version"}


def tool_versions(programs: Sequence[str]) -> dict[str, str]:
    """What those of the tools that the host has call themselves, for a manifest."""
    answers = {
        name: process.run([name, _ASKED_BY.get(name, "--version")], check=False)
        for name in programs
        if find_program(name)
    }
    return {name: (done.stdout + done.stderr).decode().partition("\n")[0] for name, done in answers.items()}


def _image(recipe: Recipe, key: str, place: Path, disk: Path) -> Image:
    theirs = isinstance(recipe, DiskRecipe) and isinstance(recipe.boot, KernelFiles)
    return Image(
        recipe.name, key, disk, place / "vmlinuz", place / "initrd",
        recipe.root, recipe.cmdline, place / "manifest.json", not theirs,
    )  # fmt: skip


def _from_disk(recipe: DiskRecipe, workshop: Workshop) -> Image:
    """A user's own disk: never copied, but pinned by its digest; only the boot files are kept."""
    digest = _pinned(recipe)
    boot = _boot_inputs(recipe, workshop)
    inputs: dict[str, object] = {"disk": digest, "boot": boot}
    key = key_of(kind="disk", **inputs)

    def make(directory: Path) -> None:
        match recipe.boot:
            case KernelFiles(kernel, own_initrd):
                (directory / "vmlinuz").write_bytes(kernel.read_bytes())
                (directory / "initrd").write_bytes(own_initrd.read_bytes())
            case KernelRecipe() as asked:
                found = find_kernel(workshop.archive, recipe.suite, asked.package)
                cut = cut_kernel(found, asked.initrd, asked.keep)
                busybox = find_busybox(workshop.archive, recipe.suite)
                _write_boot_files(cut, _init_of(recipe), busybox, directory)
        _write_manifest(directory, recipe, key, inputs)

    place = workshop.store.obtain("images", key, make, needs=600 * MIB)
    return _image(recipe, key, place, recipe.disk)


def _boot_inputs(recipe: DiskRecipe, workshop: Workshop) -> object:
    match recipe.boot:
        case KernelFiles(kernel, own_initrd):
            return [sha256_of(_there(kernel)), sha256_of(_there(own_initrd))]
        case KernelRecipe() as asked:
            found = find_kernel(workshop.archive, recipe.suite, asked.package)
            rows = [deb.row() for deb in (*found, find_busybox(workshop.archive, recipe.suite))]
            return [rows, asked.initrd, asked.keep, sha256_of(_there(_init_of(recipe)))]


def _init_of(recipe: DiskRecipe) -> Path:
    if recipe.init is None:
        raise Mistake(f"cannot boot {recipe.disk}: a kernel package needs `init:`, our initrd's script")
    return recipe.init


def _pinned(recipe: DiskRecipe) -> str:
    digest = sha256_of(_there(recipe.disk))
    if recipe.sha256 and recipe.sha256 != digest:
        raise Mistake(
            f"cannot use {recipe.disk}: its SHA-256 is {digest}, the recipe says {recipe.sha256}",
            hint="correct `sha256:` in the recipe if the file is the right one",
        )
    return digest


def _there(path: Path) -> Path:
    if not path.is_file():
        raise Mistake(f"cannot use {path}: no such file")
    return path
