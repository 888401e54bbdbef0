# SPDX-License-Identifier: GPL-3.0-only
"""Where this host gets Debian packages from, read from its own apt configuration."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HostLacks, Mistake
from harness.host import process

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_DEBIAN = "bullseye bookworm trixie forky duke sid oldoldstable oldstable stable testing unstable"
_DATE = re.compile(r"\d{8}T\d{6}Z")
_DATED_URL = re.compile(r"[a-z]+://[^\s#]+/\d{8}T\d{6}Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One archive of a sources file: `deb URI SUITE COMPONENTS`."""

    uri: str
    suite: str
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mirror:
    """The base addresses of Debian's archives; `security` is empty when the host uses none."""

    debian: str
    security: str = ""
    snapshot: str = ""

    def feeds(self, suite: str) -> tuple[tuple[str, str], ...]:
        """(address, suite) of the suite itself and, where there is one, of its security updates."""
        updates = self.security and suite not in ("sid", "unstable")
        security = ((self.security, f"{suite}-security"),) if updates else ()
        return ((self.debian, suite), *security)


def parse_one_line(text: str) -> Iterator[Entry]:
    """The `deb` lines of a sources.list (sources.list(5), one-line style)."""
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", " ", line.partition("#")[0]).split()
        if len(words) >= 3 and words[0] == "deb":
            yield Entry(words[1].rstrip("/"), words[2], tuple(words[3:]))


def parse_deb822(text: str) -> Iterator[Entry]:
    """The enabled `deb` stanzas of a .sources file; comment lines may stand inside one."""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", plain):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled") == "no":
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Entry(uri.rstrip("/"), suite, tuple(fields.get("components", "").split()))


def _fields(stanza: str) -> dict[str, str]:
    unfolded = re.sub(r"\n[ \t]+", " ", stanza)
    pairs = (line.partition(":") for line in unfolded.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def sources_files(etc: Path) -> list[Path]:
    """The files of `etc`/apt that name archives, in apt's order."""
    lists = [etc / "apt/sources.list", *sorted((etc / "apt/sources.list.d").glob("*.list"))]
    stanzas = sorted((etc / "apt/sources.list.d").glob("*.sources"))
    return [path for path in (*lists, *stanzas) if path.is_file()]


def host_mirror(
    etc: Path = Path("/etc"), *, mirror: str = "", snapshot: str = "", snapshot_base: str = ""
) -> Mirror:
    """The mirror to use: the user's choice, else the host's, else mmdebstrap's default.

    `snapshot` is a date such as ``20250520T000000Z``. Its archive is `snapshot_base` (an address
    with `debian` and `debian-security` below), else the dated address in the host's apt files.

    :raise Mistake: the date is malformed, or nothing says where the archive for dates is.
    """
    texts = [(path.suffix, path.read_text(errors="replace")) for path in sources_files(etc)]
    if snapshot:
        return _dated(snapshot, snapshot_base, "\n".join(text for _, text in texts))
    if mirror:
        return Mirror(mirror.rstrip("/"))
    entries = [entry for suffix, text in texts for entry in _parse(suffix, text)]
    debian = [entry for entry in entries if _is_debian(entry)]
    main = next((entry.uri for entry in debian if "-" not in entry.suite), "")
    security = next((entry.uri for entry in debian if entry.suite.endswith("-security")), "")
    return Mirror(main, security) if main else Mirror(_default_of_mmdebstrap())


def _parse(suffix: str, text: str) -> Iterator[Entry]:
    return parse_deb822(text) if suffix == ".sources" else parse_one_line(text)


def _is_debian(entry: Entry) -> bool:
    return "main" in entry.components and entry.suite.partition("-")[0] in _DEBIAN.split()


def _dated(date: str, base: str, text: str) -> Mirror:
    if not _DATE.fullmatch(date):
        raise Mistake(f"cannot use the snapshot date {date!r}: expected one like 20250520T000000Z")
    if base:
        base = base.rstrip("/")
        return Mirror(f"{base}/debian/{date}", f"{base}/debian-security/{date}", date)
    dated = [_DATE.sub(date, address) for address in _DATED_URL.findall(text)]
    debian = next((address for address in dated if "security" not in address), "")
    if not debian:
        raise Mistake(
            f"cannot use the snapshot date {date}: no apt file of this host has a dated address",
            hint="give the archive's address too: --snapshot-base URL",
        )
    return Mirror(debian, next((each for each in dated if "security" in each), ""), date)


def _default_of_mmdebstrap() -> str:
    """The address mmdebstrap itself would use, taken from the sources.list that it writes."""
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "sources.list"
        process.run(
            [
                "mmdebstrap", "--variant=custom", "--mode=chrootless", "--format=null",
                f'--setup-hook=cp "$1/etc/apt/sources.list" {answer}; false', "stable", "-",
            ],
            check=False,
        )  # fmt: skip
        found = list(parse_one_line(answer.read_text())) if answer.is_file() else []
    if not found:
        raise HostLacks(
            "cannot find a Debian mirror: this host's apt configuration names none",
            hint="give one: --mirror URL",
        )
    return found[0].uri
