# SPDX-License-Identifier: GPL-3.0-only
"""apt in a private root against a signed mirror on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import HostLacks, SourceMoved
from harness.image.archive import Archive
from harness.image.debs import content, open_deb
from harness.image.host_apt import Mirror
from harness.image.store import Store
from harness.model.catalogue import SuitePackage
from tests.unit.image.mirror import SmallMirror, make_deb, small_mirror

pytestmark = pytest.mark.skipif(
    not all(shutil.which(name) for name in ("apt-get", "dpkg-deb", "gpg")), reason="needs apt and gpg"
)
WANTED = SuitePackage("oldstable", "1.0", "snapd")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[SmallMirror]:
    with small_mirror(tmp_path) as made:
        made.publish("oldstable", make_deb(tmp_path, "snapd", "1.0", info="VERSION=1.0"))
        yield made


def archive(tmp_path: Path, mirror: SmallMirror, *, address: str = "", update: bool = False) -> Archive:
    source = Mirror(address or mirror.address)
    store = Store(tmp_path / "cache")
    return Archive(store, lambda: source, tell=lambda _: None, keyring=mirror.keyring, update=update)


def test_a_package_of_an_exact_version_is_fetched(tmp_path: Path, mirror: SmallMirror) -> None:
    deb = archive(tmp_path, mirror).fetch(WANTED)
    assert (deb.package, deb.version, deb.source) == ("snapd", "1.0", "pool/main/snapd_1.0_amd64.deb")
    assert open_deb(deb.path).sha256 == deb.sha256
    with content(deb) as files:
        assert "./usr/share/snapd/info" in files.getnames()


def test_a_suite_that_moved_names_both_versions_and_what_to_do(tmp_path: Path, mirror: SmallMirror) -> None:
    with pytest.raises(SourceMoved) as caught:
        archive(tmp_path, mirror).fetch(SuitePackage("oldstable", "0.9", "snapd"))
    message = str(caught.value)
    assert "cannot get snapd 0.9 of suite oldstable: the version there is 1.0" in message
    assert "debs: [FILE.deb]" in message


def test_a_rebuild_of_the_same_source_will_do(tmp_path: Path, mirror: SmallMirror) -> None:
    debs = [make_deb(tmp_path, "snapd", version) for version in ("1.0+b2", "1.0+b10", "1.0.1")]
    mirror.publish("rebuilt", *debs)
    fetched = archive(tmp_path, mirror)
    assert fetched.fetch(SuitePackage("rebuilt", "1.0", "snapd")).version == "1.0+b10"
    assert fetched.fetch(SuitePackage("rebuilt", "1.0+b2", "snapd")).version == "1.0+b2"
    with pytest.raises(SourceMoved, match=r"cannot get snapd 1\.0\+b3"):
        fetched.fetch(SuitePackage("rebuilt", "1.0+b3", "snapd"))


def test_what_was_fetched_once_needs_no_mirror(tmp_path: Path, mirror: SmallMirror) -> None:
    first = archive(tmp_path, mirror).fetch(WANTED)
    mirror.publish("oldstable", make_deb(tmp_path, "snapd", "2.0"))
    assert archive(tmp_path, mirror, address="file:/nowhere").fetch(WANTED) == first
    with pytest.raises(SourceMoved, match=r"the version there is 2\.0"):
        archive(tmp_path, mirror, update=True).fetch(WANTED)


def test_no_mirror_says_what_is_missing_and_what_to_give(tmp_path: Path, mirror: SmallMirror) -> None:
    with pytest.raises(HostLacks) as caught:
        archive(tmp_path, mirror, address="file:/nowhere").fetch(WANTED)
    message = str(caught.value)
    assert "cannot get packages of suite oldstable from file:/nowhere" in message
    assert "--mirror URL" in message
    assert "debs: [FILE.deb]" in message


def test_a_mirror_signed_by_another_key_is_refused(tmp_path: Path, mirror: SmallMirror) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with small_mirror(other) as stranger:
        mirror.keyring.write_bytes(stranger.keyring.read_bytes())
    with pytest.raises(HostLacks, match="cannot get packages of suite oldstable"):
        archive(tmp_path, mirror).fetch(WANTED)


def test_a_package_changed_on_the_mirror_is_refused(tmp_path: Path, mirror: SmallMirror) -> None:
    (mirror.root / "pool/main/snapd_1.0_amd64.deb").write_bytes(b"something else")
    with pytest.raises(HostLacks):
        archive(tmp_path, mirror).fetch(WANTED)


def test_trouble_of_one_suite_does_not_reach_another(tmp_path: Path, mirror: SmallMirror) -> None:
    one = archive(tmp_path, mirror)
    with pytest.raises(HostLacks):
        one.fetch(SuitePackage("gone", "1.0", "snapd"))
    assert one.fetch(WANTED).version == "1.0"


def test_packages_come_with_what_they_depend_on(tmp_path: Path, mirror: SmallMirror) -> None:
    lib = make_deb(tmp_path, "lib", "1.0")
    program = make_deb(tmp_path, "program", "3.0", depends="lib, snapd")
    mirror.publish("stable", lib, program)
    extra = open_deb(make_deb(tmp_path, "snapd", "1.5"))
    found = archive(tmp_path, mirror).resolve("stable", ["program"], [extra])
    assert sorted((deb.package, deb.version) for deb in found.debs) == [("lib", "1.0"), ("program", "3.0")]
    assert any(path.name.endswith("_InRelease") for path in found.indices.iterdir())


def test_a_package_that_is_not_there_is_named(tmp_path: Path, mirror: SmallMirror) -> None:
    with pytest.raises(SourceMoved, match="no-such-package"):
        archive(tmp_path, mirror).resolve("oldstable", ["no-such-package"])
