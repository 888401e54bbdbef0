# SPDX-License-Identifier: GPL-3.0-only
"""Root file systems from Debian packages, with root's rights or with a user namespace's.

mmdebstrap reads a *frozen mirror*: the signed indices that were kept when the packages were
resolved, and the debs themselves. So it needs no network, and verifies what it installs once more.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import BuildFailed, HostLacks
from harness.host import process
from harness.image.archive import Resolution
from harness.image.debs import Deb
from harness.image.host_apt import KEYRING
from harness.image.store import discard
from harness.image.tree import SOURCE_DATE_EPOCH, Tree

_INDEX = re.compile(r".*_dists_(?P<suite>[^_]+)_(?P<rest>InRelease|main_.*_Packages\.xz)")
_IN_NAMESPACE = ("unshare", "--map-root-user", "--map-auto", "--mount", "--")
_UUID = "5afe5afe-5afe-4afe-8afe-5afe5afe5afe"

# $1 rootfs tar, $2 overlay tar, $3 disk, $4 its size in bytes, $5 scratch, $6 UUID. mke2fs copies the
# tree as it is, owners and extended attributes included (mke2fs(8), -d). The kernel makes the device
# nodes itself (devtmpfs), which a user namespace may not.
_ASSEMBLE = """\
set -eu
PATH=$PATH:/usr/sbin:/sbin
root=$(mktemp -d "$5/root.XXXXXX")
trap 'rm -rf "$root"' EXIT INT TERM
cd "$root"
tar --extract --file "$1" --xattrs --xattrs-include='*' --numeric-owner --exclude='./dev/*'
tar --extract --file "$2" --numeric-owner --keep-directory-symlink
cd /
for release in "$root"/usr/lib/modules/*; do
    [ ! -d "$release" ] || chroot "$root" depmod "${release##*/}"
done
truncate --size "$4" "$3"
mke2fs -q -F -t ext4 -L root -U "$6" -m 0 -E hash_seed="$6",lazy_itable_init=1,nodiscard \\
    -d "$root" "$3"
"""


def unprivileged() -> bool:
    """Whether builds must use a user namespace."""
    return os.geteuid() != 0


def check_rights() -> None:
    """Check that root file systems can be made by this user.

    :raise HostLacks: not root, and the host gives no user namespace with subordinate ids.
    """
    if unprivileged() and process.run([*_IN_NAMESPACE, "true"], check=False).returncode != 0:
        raise HostLacks(
            "cannot build an image as this user: the host allows no user namespace with subordinate ids",
            hint="install uidmap and add the user to /etc/subuid and /etc/subgid, or build as root",
        )


@contextmanager
def frozen_mirror(found: Resolution, near: Path) -> Iterator[list[str]]:
    """The lines of a sources.list for a directory laid out as the mirror was.

    A user namespace may not look into a private home, so there it lies in the temporary directory.
    """
    place = None if unprivileged() else near
    base = Path(tempfile.mkdtemp(prefix="revert-safety-mirror-", dir=place))
    try:
        base.chmod(0o755)
        yield [_lay_feed(base, suite, files, found.debs) for suite, files in _feeds(found).items()]
    finally:
        discard(base)


def _feeds(found: Resolution) -> dict[str, list[Path]]:
    feeds: dict[str, list[Path]] = {}
    for path in sorted(found.indices.iterdir()):
        if match := _INDEX.fullmatch(path.name):
            feeds.setdefault(match["suite"], []).append(path)
    return feeds


def _lay_feed(base: Path, suite: str, files: Sequence[Path], debs: Sequence[Deb]) -> str:
    for path in files:
        rest = path.name.partition(f"_dists_{suite}_")[2].replace("_", "/")
        _place(path, base / suite / "dists" / suite / rest)
    for deb in debs:
        _place(deb.path, base / suite / deb.source)
    return f"deb [signed-by={KEYRING} check-valid-until=no] copy:{base / suite} {suite} main"


def _place(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, target)
    target.chmod(0o644)


def bootstrap(
    found: Resolution, target: Path, *, extra: Sequence[Deb] = (), setup: Path | None = None
) -> None:
    """Write a tar of the root that the resolved packages and the `extra` debs make.

    `setup` is a script that gets the root as its argument before the tar is made.

    :raise BuildFailed: a package does not install.
    """
    check_rights()
    pinned = ",".join(f"{deb.package}={deb.version}" for deb in found.debs)
    mode = "unshare" if unprivileged() else "root"
    with frozen_mirror(found, target.parent) as lines, _hooks(extra, setup) as hooks:
        argv = [
            "mmdebstrap", f"--mode={mode}", "--variant=essential", "--format=tar", f"--include={pinned}",
            "--aptopt=Acquire::Languages none", "--dpkgopt=force-unsafe-io", *hooks, "", str(target), *lines,
        ]  # fmt: skip
        _logged(argv, target.with_suffix(".log"))


def _logged(argv: Sequence[str], log: Path) -> None:
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH), "LC_ALL": "C.UTF-8"}
    try:
        process.run(argv, env=env, output=log)
    except process.CommandFailed as error:
        raise BuildFailed(f"cannot build the root file system:\n{error.stderr_tail}") from error
    finally:
        log.unlink(missing_ok=True)


@contextmanager
def _hooks(extra: Sequence[Deb], setup: Path | None) -> Iterator[list[str]]:
    """mmdebstrap's hooks for the debs and the script, as copies that a user namespace may read."""
    with tempfile.TemporaryDirectory(prefix="revert-safety-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        debs = [directory / f"{deb.package}.deb" for deb in extra]
        for deb, path in zip(extra, debs, strict=True):
            _place(deb.path, path)
        hooks = _install_hooks(debs)
        if setup:
            _place(setup, directory / "setup.sh")
            hooks.append(f'sh {directory}/setup.sh "$1"')
        yield [f"--customize-hook={hook}" for hook in hooks]


def _install_hooks(debs: Sequence[Path]) -> list[str]:
    """Install debs inside the new root; what they depend on is there."""
    if not debs:
        return []
    copies = [f"copy-in {deb} /var/tmp/debs" for deb in debs]
    install = 'chroot "$1" sh -c "dpkg -i /var/tmp/debs/*.deb"'
    return ['mkdir -p "$1/var/tmp/debs"', *copies, install, 'rm -r "$1/var/tmp/debs"']


def assemble(root: Path, overlay: Tree, disk: Path, size: int) -> None:
    """Make the qcow2 `disk`, an ext4 file system of `size` bytes, of a root tar and an overlay."""
    over, raw = disk.with_suffix(".overlay.tar"), disk.with_suffix(".raw")
    with over.open("wb") as stream:
        overlay.write(stream)
    namespace = _IN_NAMESPACE if unprivileged() else ()
    try:
        process.run([*namespace, "sh", "-c", _ASSEMBLE, "sh", root, over, raw, str(size), disk.parent, _UUID])
        process.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk])
    finally:
        over.unlink()
        raw.unlink(missing_ok=True)
