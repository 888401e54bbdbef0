# SPDX-License-Identifier: GPL-3.0-only
"""Trees in memory: what lies over what, and the same bytes every time."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.image.tree import Tree

NAMES = st.from_regex(r"[a-c]{1,2}(/[a-c]{1,2}){0,3}", fullmatch=True)


def written(tree: Tree) -> bytes:
    stream = io.BytesIO()
    tree.write(stream)
    return stream.getvalue()


def test_files_land_behind_links_of_directories() -> None:
    tree = Tree()
    tree.directory("usr/lib")
    tree.link("lib", "usr/lib")
    tree.file("lib/systemd/unit", b"x")
    assert "usr/lib/systemd/unit" in tree.entries
    assert tree.read("lib/systemd/unit") == b"x"


def test_a_directory_does_not_replace_a_link_to_one() -> None:
    tree = Tree()
    tree.link("lib", "usr/lib")
    entry = tarfile.TarInfo("lib")
    entry.type = tarfile.DIRTYPE
    tree.put(entry)
    assert tree.entries["lib"][0].issym()


def test_reading_follows_links() -> None:
    tree = Tree()
    tree.file("bin/real", b"data")
    tree.link("bin/soft", "real")
    tree.link("bin/absolute", "/bin/real")
    hard = tarfile.TarInfo("bin/hard")
    hard.type, hard.linkname = tarfile.LNKTYPE, "bin/real"
    tree.put(hard)
    assert {tree.read(f"bin/{name}") for name in ("soft", "absolute", "hard")} == {b"data"}


def test_links_in_a_circle_end() -> None:
    tree = Tree()
    tree.link("a", "b")
    tree.link("b", "a")
    with pytest.raises(KeyError):
        tree.read("a/file")


@given(st.dictionaries(NAMES, st.binary(max_size=20), max_size=6))
def test_what_is_written_is_sorted_complete_and_the_same(files: dict[str, bytes]) -> None:
    parents = {name for name in files if any(other.startswith(f"{name}/") for other in files)}
    leaves = {name: data for name, data in files.items() if name not in parents}
    one, other = Tree(), Tree()
    for name, data in leaves.items():
        one.file(name, data)
    for name, data in reversed(leaves.items()):
        other.file(name, data)
    assert written(one) == written(other)
    with tarfile.open(fileobj=io.BytesIO(written(one))) as archive:
        names = archive.getnames()
        assert {name: archive.extractfile(name).read() for name in leaves} == leaves  # type: ignore[union-attr]
    for name in names:
        parent = name.rpartition("/")[0]
        assert not parent or names.index(parent) < names.index(name)
