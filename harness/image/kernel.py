# SPDX-License-Identifier: GPL-3.0-only
"""A Debian kernel package cut down: the kernel itself and the modules asked for, unpacked."""

from __future__ import annotations

import lzma
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import BuildFailed
from harness.image import debs
from harness.image.archive import Archive
from harness.image.debs import Deb
from harness.image.tree import Tree
from harness.model.catalogue import SuitePackage

_MODULE = re.compile(r"(?P<name>[^/]+)\.ko(\.xz)?$")


@dataclass(frozen=True, slots=True)
class Kernel:
    """`image` is the bzImage; `modules` has ``usr/lib/modules/RELEASE``; `load` is in load order."""

    release: str
    image: bytes
    modules: Tree
    load: tuple[str, ...]
    debs: tuple[Deb, ...]


def find_kernel(archive: Archive, suite: str, package: str) -> tuple[Deb, ...]:
    """The kernel's deb; when `package` is a meta package, that one and the one it depends on."""
    meta = archive.fetch(SuitePackage(suite, "", package))
    depends = re.search(r"linux-image-\d\S+", debs.field(meta, "Depends"))
    if depends is None:
        return (meta,)
    return (meta, archive.fetch(SuitePackage(suite, "", depends.group())))


def cut_kernel(found: tuple[Deb, ...], first: Sequence[str], kept: Sequence[str]) -> Kernel:
    """Take the kernel out of its deb with the modules named and all that they depend on.

    `first` are those that the initrd loads, `kept` those that the guest finds on its disk. Modules
    are stored uncompressed: a guest without KVM spends most of a modprobe in xz.

    :raise BuildFailed: the kernel has no such module.
    """
    deb, whole = found[-1], Tree()
    with debs.content(deb) as content:
        whole.add_tar(content)
    release = _release(whole, deb)
    base = posixpath.dirname(next(name for name in whole.entries if name.endswith("/modules.order")))
    modules = _Modules(
        whole,
        {_name(path): path for path in whole.entries if _MODULE.search(path)},
        frozenset(_name(line) for line in whole.read(f"{base}/modules.builtin").decode().split()),
        deb,
    )
    tree = Tree()
    for name in modules.closure([*first, *kept]):
        tree.file(f"usr/lib/modules/{release}/{name}.ko", modules.content(name))
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        tree.file(f"usr/lib/modules/{release}/{name}", whole.read(f"{base}/{name}"))
    image = whole.read(f"boot/vmlinuz-{release}")
    return Kernel(release, image, tree, modules.closure(first), found)


def _release(tree: Tree, deb: Deb) -> str:
    image = next((name for name in tree.entries if name.startswith("boot/vmlinuz-")), "")
    if not image:
        raise BuildFailed(f"cannot use {deb.package} {deb.version} as a kernel: no boot/vmlinuz in it")
    return image.removeprefix("boot/vmlinuz-")


def _name(path: str) -> str:
    match = _MODULE.search(path)
    return match["name"].replace("-", "_") if match else ""


@dataclass(frozen=True, slots=True)
class _Modules:
    """The modules of a kernel package by name; `builtin` ones have no file."""

    tree: Tree
    paths: Mapping[str, str]
    builtin: frozenset[str]
    deb: Deb

    def content(self, name: str) -> bytes:
        """The module, uncompressed.

        :raise BuildFailed: the kernel has none of that name.
        """
        if name not in self.paths:
            package = f"{self.deb.package} {self.deb.version}"
            raise BuildFailed(f"cannot find the kernel module {name} in {package}")
        data = self.tree.read(self.paths[name])
        return lzma.decompress(data) if self.paths[name].endswith(".xz") else data

    def closure(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """The modules and what they need, each after its own needs; built-in ones left out."""
        order: dict[str, None] = {}
        for name in wanted:
            self._add(name.replace("-", "_"), order)
        return tuple(order)

    def _add(self, name: str, order: dict[str, None]) -> None:
        if name in order or name in self.builtin:
            return
        module = self.content(name)
        soft = [need for need in _soft_needs(module) if need in self.paths]
        for need in (*_needs(module), *soft):
            self._add(need, order)
        order[name] = None


def _needs(module: bytes) -> list[str]:
    """The `depends=` of a module's modinfo."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return _names(found[1].replace(b",", b" ")) if found else []


def _soft_needs(module: bytes) -> list[str]:
    """What a module wants loaded before it; may be an alias, such as crypto-crc32c, for modprobe."""
    return _names(b" ".join(re.findall(rb"\0softdep=pre: ([^\0]*)\0", module)))


def _names(text: bytes) -> list[str]:
    return [name.replace("-", "_") for name in text.decode().split()]
