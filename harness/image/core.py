# SPDX-License-Identifier: GPL-3.0-only
"""`core` snaps: a small Debian root file system with the snapd of a release in it.

snapd re-executes into the core whose ``usr/lib/snapd/info`` has a VERSION not older than the deb's
(snapd 2.57.6, snapdtool/tool_linux.go), so a core is all that it takes to run another snapd.
"""

from __future__ import annotations

import json
import re
import struct
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BuildFailed, Mistake
from harness.host import process
from harness.image import debs, replica, rootfs
from harness.image.build import tool_versions
from harness.image.debs import Deb
from harness.image.digest import key_of, sha256_of, tree_digest, write_json
from harness.image.snapfile import SnapFile, build_ids, one_file, snap_yaml, squash
from harness.image.store import MIB, discard
from harness.image.tree import SOURCE_DATE_EPOCH, Tree
from harness.image.workshop import Workshop
from harness.model.catalogue import CoreEntry, DebFiles, Replica, SnapFileSource, SuitePackage
from harness.model.catalogue import Tree as TreeSource

# A release before glibc 2.34 needs a root of its time: the seccomp template of snapd 2.49 has no
# clone3, which pthread_create of a newer glibc calls first, and answers EPERM.
_ROOT_OF = {"bullseye": "bullseye"}
DEFAULT_ROOT = "trixie"
_ROOT_PACKAGES = ("libstdc++6", "libdbus-1-3", "kmod", "libapparmor1", "libseccomp2")

_TOOLS = "usr/lib/snapd"
_INFO = f"{_TOOLS}/info"
# What snap-confine and snapd expect to mount over (snapd, cmd/snap-confine/mount-support.c).
_DIRECTORIES = """
dev proc sys run home root snap media mnt writable tmp usr/local usr/src usr/share/gdb lib/modules
lib/firmware etc/ssl etc/apparmor.d etc/modprobe.d var/snap var/tmp var/log var/lib/snapd
var/lib/snapd/hostfs var/lib/dhcp var/lib/extrausers
"""
_UNWANTED = re.compile(
    r"(usr/share/(doc|man|info|locale|lintian|zoneinfo|bash-completion|common-licenses|perl5?|zsh)/."
    r"|var/(cache|lib/(apt|dpkg)|log)/.|usr/lib/x86_64-linux-gnu/(gconv|perl-base|perl)/."
    r"|etc/apt/.|boot/.|dev/.|proc/.|sys/.|run/.|tmp/.|usr/lib/systemd/|usr/sbin/policy-rc.d)"
)
_NEEDS = 700 * MIB


def root_suite(entry: CoreEntry) -> str:
    """The suite that the core's root file system is made of."""
    source = entry.source
    if isinstance(source, Replica):
        return replica.ROOT
    return _ROOT_OF.get(source.suite, DEFAULT_ROOT) if isinstance(source, SuitePackage) else DEFAULT_ROOT


def build_core(entry: CoreEntry, workshop: Workshop) -> SnapFile:
    """The core of a catalogue entry; from the store when it is there.

    :raise SourceMoved: its suite has another version.
    :raise Mistake: a file it is made from is missing or is not what it should be.
    """
    file_name = f"core_{entry.name}.snap"
    match entry.source:
        case SuitePackage() as package:
            return _from_debs(entry, file_name, [workshop.archive.fetch(package)], workshop)
        case DebFiles(paths):
            given = [debs.open_deb(Path(path)) for path in paths]
            return _from_debs(entry, file_name, given, workshop)
        case TreeSource(path):
            return _from_tree(entry, file_name, Path(path), workshop)
        case SnapFileSource() as source:
            return _given(source, file_name, workshop)
        case Replica() as source:
            return _re_created(entry, file_name, source, workshop)


def _from_debs(entry: CoreEntry, file_name: str, given: list[Deb], workshop: Workshop) -> SnapFile:
    def fill(tree: Tree) -> None:
        for deb in given:
            with debs.content(deb) as content:
                tree.add_tar(content)

    rows = [deb.row() for deb in given]
    return _layered(_Plan(entry, file_name, {"debs": rows}, fill), workshop)


def _from_tree(entry: CoreEntry, file_name: str, path: Path, workshop: Workshop) -> SnapFile:
    if not (path / _TOOLS).is_dir():
        raise Mistake(f"cannot make a core of {path}: it has no {_TOOLS}")
    inputs: dict[str, object] = {"tree": tree_digest(path)}
    return _layered(_Plan(entry, file_name, inputs, lambda tree: tree.add_directory(path)), workshop)


def _re_created(entry: CoreEntry, file_name: str, source: Replica, workshop: Workshop) -> SnapFile:
    inputs: dict[str, object] = {"replica": replica.inputs(source)}

    def fill(tree: Tree) -> None:
        replica.put_into_core(tree, source)

    plan = _Plan(entry, file_name, inputs, fill, replica.built(source))
    return _layered(plan, workshop)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A core to be made: what `fill` adds to the root, what stands for that in the key.

    `built` is the time of all its files (Unix time).
    """

    entry: CoreEntry
    file_name: str
    inputs: dict[str, object]
    fill: Callable[[Tree], None]
    built: int = SOURCE_DATE_EPOCH


def _layered(plan: _Plan, workshop: Workshop) -> SnapFile:
    more = replica.PACKAGES if isinstance(plan.entry.source, Replica) else ()
    root_key, root = core_root(root_suite(plan.entry), workshop, more)
    key = key_of(kind="core", root=root_key, claims=plan.entry.claims, **plan.inputs)

    def make(directory: Path) -> None:
        workshop.tell(f"building core {plan.entry.name} (about 10 s)")
        tree = Tree()
        with tarfile.open(root / "root.tar") as archive:
            tree.add_tar(archive, lambda name: not _UNWANTED.match(name))
        plan.fill(tree)
        version = _finish(tree, plan.entry.claims)
        squash(tree, directory / "core.snap", plan.built)
        ids = build_ids(tree, _TOOLS)
        inputs = {"root": root_key, "claims": plan.entry.claims, **plan.inputs}
        _write_manifest(directory, version, inputs, ids)

    place = workshop.store.obtain("cores", key, make, needs=_NEEDS)
    return opened(place, "core.snap", plan.file_name, "core", "os")


def core_root(suite: str, workshop: Workshop, more: Sequence[str] = ()) -> tuple[str, Path]:
    """The key and the place of a root file system that cores share; its manifest lists packages."""
    found = workshop.archive.resolve(suite, ["?essential", *_ROOT_PACKAGES, *more])
    rows = [deb.row() for deb in found.debs]
    key = key_of(kind="root", debs=rows)

    def make(directory: Path) -> None:
        workshop.tell(f"building the root of {suite}'s cores: mmdebstrap (about 30 s)")
        rootfs.bootstrap(found, directory / "root.tar")
        write_json(directory / "manifest.json", {"suite": suite, "debs": rows})

    return key, workshop.store.obtain("roots", key, make, needs=_NEEDS)


def root_packages(suite: str, workshop: Workshop) -> frozenset[str]:
    """The names of the packages that cores with a root of `suite` bring."""
    _, place = core_root(suite, workshop)
    rows = json.loads((place / "manifest.json").read_text())["debs"]
    return frozenset(row["package"] for row in rows)


def _finish(tree: Tree, claims: str) -> str:
    """Make a snap of the root; gives the version that the core claims."""
    for directory in _DIRECTORIES.split():
        tree.directory(directory, 0o1777 if directory in ("tmp", "var/tmp") else 0o755)
    _set_capabilities(tree)
    info = _info(tree, claims)
    version = re.search(r"^VERSION=(\S+)", info, re.MULTILINE)
    if version is None:
        raise BuildFailed(f"cannot make a core: its {_INFO} has no VERSION")
    tree.file(_INFO, info.encode())
    short = re.sub(r"[^A-Za-z0-9.+~:-]", "-", version[1])[:32]
    tree.file("meta/snap.yaml", _SNAP_YAML.format(version=short).encode())
    return version[1]


def _info(tree: Tree, claims: str) -> str:
    if _INFO not in tree:
        raise BuildFailed(f"cannot make a core: there is no {_INFO} in what it is made from")
    text = tree.read(_INFO).decode()
    return re.sub(r"^VERSION=.*$", f"VERSION={claims}", text, flags=re.MULTILINE) if claims else text


# In the order of linux/capability.h.
_CAPABILITIES = """
chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot
sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease
audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read
perfmon bpf checkpoint_restore
"""


def _set_capabilities(tree: Tree) -> None:
    """Newer snap-confines are not setuid; the text of their file capabilities lies beside them."""
    for name in [name for name in tree.entries if name.startswith(_TOOLS)]:
        if f"{name}.caps" in tree:
            tree.capability(name, capability_bytes(tree.read(f"{name}.caps").decode()))


def capability_bytes(text: str) -> bytes:
    """The extended attribute of a text such as ``cap_chown,cap_setuid=p`` (capability.h, revision 2).

    :raise BuildFailed: it names a capability or a set that is not known here.
    """
    permitted = inheritable = effective = 0
    for names, flags in re.findall(r"([a-z_,]+)\s*[=+]\s*([a-z]+)", text):
        mask = sum(1 << _capability(name) for name in names.split(","))
        permitted |= mask if "p" in flags else 0
        inheritable |= mask if "i" in flags else 0
        effective |= 1 if "e" in flags else 0
    low = struct.pack("<III", 0x02000000 | effective, permitted & 0xFFFFFFFF, inheritable & 0xFFFFFFFF)
    return low + struct.pack("<II", permitted >> 32, inheritable >> 32)


def _capability(name: str) -> int:
    known = _CAPABILITIES.split()
    if name.removeprefix("cap_") not in known:
        raise BuildFailed(f"cannot set file capabilities: {name} is not known")
    return known.index(name.removeprefix("cap_"))


def _write_manifest(directory: Path, version: str, inputs: dict[str, object], ids: dict[str, str]) -> None:
    snap = directory / "core.snap"
    write_json(
        directory / "manifest.json",
        {
            "snap": "core",
            "version": version,
            "sha256": sha256_of(snap),
            "build_ids": ids,
            "inputs": inputs,
            "tools": tool_versions(("mmdebstrap", "sqfstar")),
        },
    )


def opened(place: Path, stored: str, file_name: str, name: str, snap_type: str) -> SnapFile:
    """A snap of the store, described by the manifest beside it."""
    manifest = place / "manifest.json"
    data = json.loads(manifest.read_text())
    return SnapFile(
        name, file_name, snap_type, data["version"], place / stored, data["sha256"],
        data["build_ids"], manifest,
    )  # fmt: skip


def _given(source: SnapFileSource, file_name: str, workshop: Workshop) -> SnapFile:
    """A snap file of the user's: left where it is, and read once for its build ids."""
    path = Path(source.path)
    if not path.is_file():
        raise Mistake(f"cannot use the snap {path}: no such file")
    digest = sha256_of(path)
    if source.sha256 and digest != source.sha256:
        raise Mistake(f"cannot use the snap {path}: its SHA-256 is {digest}, not {source.sha256}")
    meta = snap_yaml(one_file(path, "meta/snap.yaml"), str(path))

    def make(directory: Path) -> None:
        data = {"version": str(meta["version"]), "sha256": digest, "build_ids": _tools_of(path, directory)}
        write_json(directory / "manifest.json", {**data, "inputs": {"snap": digest}})

    place = workshop.store.obtain("given", key_of(kind="given", snap=digest), make, needs=_NEEDS)
    snap_type = str(meta.get("type", "app"))
    return opened(place, str(path.absolute()), file_name, str(meta["name"]), snap_type)


def _tools_of(snap: Path, directory: Path) -> dict[str, str]:
    """The build ids of a snap's programs; owners and modes do not matter, so failing to set them neither."""
    out = directory / "out"
    process.run(["unsquashfs", "-quiet", "-no-progress", "-d", out, snap, _TOOLS], check=False)
    tree = Tree()
    tree.add_directory(out)
    discard(out)
    return build_ids(tree, _TOOLS)


_SNAP_YAML = """\
name: core
version: "{version}"
type: os
summary: a core to run its snapd by re-execution
description: A root file system of Debian packages, and the snapd of one release or a replica of it.
architectures: [amd64]
confinement: strict
grade: stable
"""
