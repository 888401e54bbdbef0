# SPDX-License-Identifier: GPL-3.0-only
"""Initial RAM disks in the kernel's cpio format (Documentation/driver-api/early-userspace/buffer-format).

The kernel accepts several archives one after the other, so a run appends its own to the image's.
Both are left uncompressed: unpacking costs a guest without KVM more than copying.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.errors import BuildFailed
from harness.image import debs
from harness.image.archive import Archive
from harness.image.debs import Deb
from harness.image.kernel import Kernel
from harness.model.catalogue import SuitePackage

_FILE, _DIRECTORY, _LINK = 0o100000, 0o040000, 0o120000
_APPLETS = "sh mount mkdir insmod switch_root cat echo cp sleep poweroff ls"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive; `mode` holds permission bits only."""

    data: bytes = b""
    mode: int = 0o644
    link: str = ""


def cpio(files: Mapping[str, Member]) -> bytes:
    """A `newc` archive of `files` by path; parent directories are added."""
    out = bytearray()
    for number, (name, mode, data) in enumerate(_records(files), start=1):
        out += _record(number, name, mode, data)
    return bytes(out + _record(0, "TRAILER!!!", 0, b""))


def _records(files: Mapping[str, Member]) -> Iterator[tuple[str, int, bytes]]:
    made: set[str] = set()
    for name, member in sorted(files.items()):
        for parent in reversed(list(_parents(name))):
            if parent not in made and parent not in files:
                made.add(parent)
                yield parent, _DIRECTORY | 0o755, b""
        if member.link:
            yield name, _LINK | 0o777, member.link.encode()
        else:
            yield name, _FILE | member.mode, member.data


def _parents(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name


def _record(number: int, name: str, mode: int, data: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields)
    return _padded(header + encoded) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def find_busybox(archive: Archive, suite: str) -> Deb:
    """The deb with the one program of our initrds, statically linked; from the kernel's own suite."""
    return archive.fetch(SuitePackage(suite, "", "busybox-static"))


def initrd(kernel: Kernel, init: bytes, busybox: Deb) -> bytes:
    """Our own initrd: busybox, the modules in load order, and the script `init`.

    :raise BuildFailed: the deb has no busybox in it.
    """
    files = {"init": Member(init, 0o755), "bin/busybox": Member(_program(busybox), 0o755)}
    files |= {f"bin/{applet}": Member(link="busybox") for applet in _APPLETS.split()}
    for index, name in enumerate(kernel.load):
        data = kernel.modules.read(f"usr/lib/modules/{kernel.release}/{name}.ko")
        files[f"modules/{index:02}-{name}.ko"] = Member(data)
    return cpio(files)


def _program(busybox: Deb) -> bytes:
    with debs.content(busybox) as content:
        for member in content:
            # Debian 13 and later have it below /usr.
            if member.name.removeprefix("./").removeprefix("usr/") == "bin/busybox":
                found = content.extractfile(member)
                return found.read() if found else b""
    raise BuildFailed(f"cannot make an initrd: no bin/busybox in {busybox.package} {busybox.version}")
