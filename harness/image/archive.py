# SPDX-License-Identifier: GPL-3.0-only
"""Debian's archive through apt in a private root: signatures checked, nothing of the host touched.

apt verifies the suite's Release file with Debian's keyring, the index with the Release file, and
each deb with the index. How long a Release file calls itself valid is not checked: versions are
pinned, and a dated snapshot is always past its date. What was resolved once is remembered, and
its debs are kept by digest, so a suite that moves on does not disturb a warm cache.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from harness.errors import HostLacks, SourceMoved
from harness.host import process
from harness.image.debs import Deb
from harness.image.digest import digest_of, sha256_of, write_json
from harness.image.host_apt import KEYRING, Mirror
from harness.image.store import MIB, Store
from harness.model.catalogue import SuitePackage

ARCHITECTURE = "amd64"
_URI = re.compile(r"'(?P<uri>[^']+)' (?P<file>\S+) \d+ SHA256:(?P<sha256>[0-9a-f]{64})")
_REBUILD = re.compile(r"\+b\d+$")  # deb-version(7): a binary-only upload
_INSTEAD = "to give the deb yourself: `debs: [FILE.deb]` in images/catalogue.yaml"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The debs that a set of packages needs, and the indices that vouch for them."""

    debs: tuple[Deb, ...]
    indices: Path


class Archive:
    """Packages of Debian suites; each suite has its own apt root, so one's trouble stays its own."""

    def __init__(
        self,
        store: Store,
        mirror: Callable[[], Mirror],
        *,
        snapshot: str = "",
        tell: Callable[[str], None],
        keyring: Path = KEYRING,
        update: bool = False,
    ) -> None:
        self._store = store
        self._mirror = mirror
        self._snapshot = snapshot
        self._tell = tell
        self._keyring = keyring
        self._update = update
        self._fresh: dict[str, Path] = {}

    def fetch(self, wanted: SuitePackage) -> Deb:
        """One package of the version wanted, without its dependencies.

        A version without Debian's suffix for rebuilds of the same source (``+b7``) means any of them: a
        suite that stays still has its Go programs rebuilt from time to time.

        :raise SourceMoved: the suite has another version.
        :raise HostLacks: no mirror answers.
        """
        spec = f"{wanted.package}={wanted.version}" if wanted.version else wanted.package
        request = {"suite": wanted.suite, "download": spec}
        return self._remembered(request, lambda: self._download(wanted)).debs[0]

    def resolve(self, suite: str, packages: Sequence[str], extra: Sequence[Deb] = ()) -> Resolution:
        """`packages` (apt's syntax) of `suite` with all they depend on; `extra` debs take part.

        :raise HostLacks: no mirror answers.
        :raise SourceMoved: the suite lacks one of them.
        """
        given = [[deb.package, deb.version, deb.sha256] for deb in extra]
        request = {"suite": suite, "install": [*packages], "extra": given}
        return self._remembered(request, lambda: self._install(suite, packages, extra))

    def _remembered(self, request: Mapping[str, object], ask: Callable[[], Resolution]) -> Resolution:
        key = digest_of({"snapshot": self._snapshot, **request})
        note = self._store.root / "resolved" / f"{key}.json"
        if not self._update and (known := self._recall(note)):
            return known
        with self._store.lock(f"apt-{request['suite']}", waiting_for=f"apt for {request['suite']}"):
            # Whoever had the lock before may have asked the same.
            found = (None if self._update else self._recall(note)) or ask()
        note.parent.mkdir(exist_ok=True)
        draft = note.with_suffix(f".{os.getpid()}")
        rows = [deb.row() for deb in found.debs]
        write_json(draft, {"request": request, "debs": rows, "indices": found.indices.name})
        draft.rename(note)
        return found

    def _recall(self, note: Path) -> Resolution | None:
        """What was resolved before, unless a file it needs has been removed since."""
        if not note.is_file():
            return None
        known = json.loads(note.read_text())
        debs = tuple(Deb(**row, path=self._pooled(row["sha256"])) for row in known["debs"])
        indices = self._store.root / "indices" / known["indices"]
        whole = indices.is_dir() and all(deb.path.is_file() for deb in debs)
        return Resolution(debs, indices) if whole else None

    def _pooled(self, sha256: str) -> Path:
        return self._store.root / "pool" / f"{sha256}.deb"

    def _download(self, wanted: SuitePackage) -> Resolution:
        root = self._root(wanted.suite)
        spec = f"{wanted.package}={self._version(root, wanted)}"
        listed = self._apt(root, "download", "--print-uris", spec)
        self._checked(listed, wanted.suite)
        rows = _rows(listed.stdout)
        if not self._all_pooled(rows):
            self._tell(f"downloading {spec} of {wanted.suite}")
            self._checked(self._apt(root, "download", spec, cwd=root / "debs"), wanted.suite)
        return self._collect(root, rows)

    def _install(self, suite: str, packages: Sequence[str], extra: Sequence[Deb]) -> Resolution:
        root = self._root(suite)
        given = [self._named(root, deb) for deb in extra]
        listed = self._apt(root, "install", "--print-uris", *packages, *given)
        if listed.returncode != 0:
            raise SourceMoved(
                f"cannot find all packages in suite {suite}:"
                f" {process.tail(listed.stderr, 4) or process.tail(listed.stdout, 12)}",
                hint="another version may have taken a package's place: see the recipe",
            )
        rows = _rows(listed.stdout)
        if not self._all_pooled(rows):
            self._tell(f"downloading {len(rows)} packages of {suite}")
            self._checked(self._apt(root, "install", "--download-only", *packages, *given), suite)
        return self._collect(root, rows)

    def _named(self, root: Path, deb: Deb) -> str:
        """The deb under a name that ends in .deb and means something, as apt wants it."""
        named = root / "debs" / f"{deb.package}_{deb.sha256[:12]}.deb"
        if not named.exists():
            named.symlink_to(deb.path)
        return str(named)

    def _all_pooled(self, rows: Sequence[re.Match[str]]) -> bool:
        return all(self._pooled(row["sha256"]).is_file() for row in rows)

    def _collect(self, root: Path, rows: Sequence[re.Match[str]]) -> Resolution:
        """Move what apt downloaded, and has verified, into the pool."""
        for row in rows:
            kept = self._pooled(row["sha256"])
            places = (root / "debs" / row["file"], root / "var/cache/apt/archives" / row["file"])
            there = next((place for place in places if place.is_file()), None)
            if there is not None and sha256_of(there) == row["sha256"]:
                there.rename(kept)
        return Resolution(tuple(self._deb(row) for row in rows), self._keep_indices(root))

    def _deb(self, row: re.Match[str]) -> Deb:
        package, version, _ = unquote(row["file"]).split("_")
        path = self._pooled(row["sha256"])
        if not path.is_file():
            raise HostLacks(
                f"cannot download {package} {version}: the mirror does not give it", hint=_INSTEAD
            )
        source = "pool/" + unquote(row["uri"]).partition("/pool/")[2]
        return Deb(package, version, row["sha256"], path, source)

    def _keep_indices(self, root: Path) -> Path:
        """Keep the signed indices, so that a later build needs no mirror to verify its debs."""
        lists = root / "var/lib/apt/lists"
        files = sorted(path for path in lists.iterdir() if path.is_file() and path.stat().st_size)
        key = digest_of([[path.name, sha256_of(path)] for path in files])

        def copy(directory: Path) -> None:
            for path in files:
                shutil.copy2(path, directory / path.name)

        return self._store.obtain("indices", key, copy, needs=64 * MIB)

    def _root(self, suite: str) -> Path:
        """The apt root of a suite, its indices updated once in this process."""
        if suite not in self._fresh:
            self._store.require(400 * MIB, f"fetch packages of {suite}")
            root = self._store.root / "apt" / suite
            _lay(root)
            self._refresh(root, suite)
            self._fresh[suite] = root
        return self._fresh[suite]

    def _refresh(self, root: Path, suite: str) -> None:
        if not self._keyring.is_file():
            raise HostLacks(
                f"cannot verify packages of {suite}: {self._keyring} is missing",
                hint="apt-get install debian-archive-keyring",
            )
        feeds = self._mirror().feeds(suite)
        self._tell(f"reading the package index of {suite}")
        answer = self._update_from(root, feeds)
        if answer.returncode != 0 and len(feeds) > 1:
            self._tell(f"no security updates of {suite} to be had; going on without them")
            answer = self._update_from(root, feeds[:1])
        self._checked(answer, suite)

    def _update_from(self, root: Path, feeds: Sequence[tuple[str, str]]) -> process.Completed:
        # apt uses a deb of a file: mirror where it lies, and never puts it into its own cache.
        copied = [(re.sub("^file:", "copy:", uri), suite) for uri, suite in feeds]
        lines = [f"deb [signed-by={self._keyring}] {uri} {suite} main\n" for uri, suite in copied]
        (root / "etc/apt/sources.list").write_text("".join(lines))
        return self._apt(root, "update", "--error-on=any")

    def _checked(self, answer: process.Completed, suite: str) -> None:
        if answer.returncode != 0:
            raise HostLacks(
                f"cannot get packages of suite {suite} from {self._mirror().debian}:\n"
                f"{process.tail(answer.stderr, 6)}",
                hint=f"give a mirror (--mirror URL), or {_INSTEAD.removeprefix('to ')}",
            )

    def _version(self, root: Path, wanted: SuitePackage) -> str:
        """The version wanted as the suite has it, the newest rebuild of it first."""
        shown = self._apt(root, "show", wanted.package, program="apt-cache")
        there: list[str] = re.findall(r"^Version: (\S+)", shown.stdout.decode(), re.MULTILINE)
        for version in there:
            if wanted.version in ("", version, _REBUILD.sub("", version)):
                return version
        raise SourceMoved(
            f"cannot get {wanted.package} {wanted.version or '(any version)'} of suite {wanted.suite}:"
            f" the version there is {there[0] if there else 'none'}",
            hint=_INSTEAD,
        )

    def _apt(
        self, root: Path, *words: str, program: str = "apt-get", cwd: Path | None = None
    ) -> process.Completed:
        env = {**os.environ, "APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C.UTF-8"}
        options = ["-qq", "-y"] if program == "apt-get" else []
        return process.run([program, *options, *words], check=False, env=env, cwd=cwd or root)


def _rows(output: bytes) -> list[re.Match[str]]:
    return list(_URI.finditer(output.decode()))


def _lay(root: Path) -> None:
    """The directories and the apt.conf of a private root.

    Only the host's proxy and credentials are taken over: its hooks remove downloaded archives on
    some images, and its preferences and keys are not ours.
    """
    for name in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg", "debs"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "apt.conf").write_text(_APT_CONF.format(root=root) + _host_proxy())


def _host_proxy() -> str:
    dumped = process.run(["apt-config", "dump"]).stdout.decode().splitlines()
    return "".join(f"{line}\n" for line in dumped if re.match(r"Acquire::https?(::|\s)", line))


# Post-Invoke hooks of the host cannot reach this root: Dir::Etc is set before apt reads them.
_APT_CONF = f"""\
Dir "{{root}}/";
Dir::State::status "{{root}}/var/lib/dpkg/status";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
Dir::Bin::Methods "/usr/lib/apt/methods/";
Dir::Bin::Solvers "/usr/lib/apt/solvers/";
Dir::Bin::Planners "/usr/lib/apt/planners/";
APT::Architecture "{ARCHITECTURE}";
APT::Architectures {{{{ "{ARCHITECTURE}"; }}}};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Acquire::Check-Valid-Until "false";
Acquire::Retries "2";
Acquire::IndexTargets::deb::Packages::KeepCompressed "true";
Acquire::IndexTargets::deb::Packages::KeepCompressedAs "xz";
"""
