# SPDX-License-Identifier: GPL-3.0-only
"""The mirror comes from the host's apt configuration, in both of apt's formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import Mistake
from harness.image.host_apt import Entry, Mirror, host_mirror, parse_deb822, parse_one_line

DEB822 = """\
Types: deb deb-src
# http://old.example/archive/debian/20250520T000000Z
URIs: http://mirror.example/debian/
Suites: bookworm
 bookworm-updates
Components: main contrib

Types: deb
# http://old.example/archive/debian-security/20250520T000000Z
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://disabled.example/debian
Suites: bookworm
Components: main
"""

ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb-src http://sources.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://mirror.example/debian trixie main  # ours
deb http://tools.example/apt stable-tools main
deb cdrom:
"""


def etc(tmp_path: Path, **files: str) -> Path:
    directory = tmp_path / "apt/sources.list.d"
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text)
    return tmp_path


def test_stanzas() -> None:
    assert list(parse_deb822(DEB822)) == [
        Entry("http://mirror.example/debian", "bookworm", ("main", "contrib")),
        Entry("http://mirror.example/debian", "bookworm-updates", ("main", "contrib")),
        Entry("http://security.example/debian-security", "bookworm-security", ("main",)),
    ]


def test_lines() -> None:
    assert list(parse_one_line(ONE_LINE)) == [
        Entry("http://mirror.example/debian", "trixie", ("main",)),
        Entry("http://tools.example/apt", "stable-tools", ("main",)),
    ]


def test_the_hosts_debian_mirror_is_found_among_others(tmp_path: Path) -> None:
    found = host_mirror(etc(tmp_path, debian_sources=DEB822, tools_list="deb http://t.example x main\n"))
    assert found == Mirror("http://mirror.example/debian", "http://security.example/debian-security")


def test_a_host_with_one_line_sources(tmp_path: Path) -> None:
    assert host_mirror(etc(tmp_path, all_list=ONE_LINE)) == Mirror("http://mirror.example/debian")


def test_the_users_mirror_wins(tmp_path: Path) -> None:
    found = host_mirror(etc(tmp_path, debian_sources=DEB822), mirror="http://mine.example/debian/")
    assert found == Mirror("http://mine.example/debian")


def test_a_snapshot_date_replaces_that_of_the_hosts_dated_addresses(tmp_path: Path) -> None:
    found = host_mirror(etc(tmp_path, debian_sources=DEB822), snapshot="20260101T000000Z")
    base = "http://old.example/archive"
    assert found.debian == f"{base}/debian/20260101T000000Z"
    assert found.security == f"{base}/debian-security/20260101T000000Z"


def test_a_snapshot_base_is_the_users(tmp_path: Path) -> None:
    found = host_mirror(tmp_path, snapshot="20260101T000000Z", snapshot_base="http://dated.example/")
    assert found.debian == "http://dated.example/debian/20260101T000000Z"


@pytest.mark.parametrize(
    ("date", "message"),
    [("2026-01-01", "expected one like 20250520T000000Z"), ("20260101T000000Z", "--snapshot-base")],
)
def test_a_snapshot_that_cannot_be_found_is_a_mistake(tmp_path: Path, date: str, message: str) -> None:
    with pytest.raises(Mistake, match=message):
        host_mirror(etc(tmp_path, all_list=ONE_LINE), snapshot=date)


def test_feeds_have_security_updates_where_there_are_some() -> None:
    mirror = Mirror("http://m.example/debian", "http://s.example/security")
    assert mirror.feeds("trixie") == (
        ("http://m.example/debian", "trixie"),
        ("http://s.example/security", "trixie-security"),
    )
    assert mirror.feeds("sid") == (("http://m.example/debian", "sid"),)
    assert Mirror("http://m.example/debian").feeds("trixie") == (("http://m.example/debian", "trixie"),)
