# SPDX-License-Identifier: GPL-3.0-only
"""A replica in a root file system: programs of its Python, told apart by name and build id."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.errors import BuildFailed, Mistake
from harness.image.replica import built, inputs, launcher_profile, put_into_core, put_programs, with_build_id
from harness.image.snapfile import build_ids
from harness.image.tree import Tree
from harness.model.catalogue import Replica
from harness.policy.builds import short
from harness.replica.releases import RELEASES

PROGRAMS = Path(__file__).resolve().parents[3] / "images" / "replica"
PYTHON = b"\x7fELF before " + b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0" + b"i" * 20 + b" after"
TOOLS = "usr/lib/snapd"


def replica(release: str, design: str = "") -> Replica:
    return Replica(release, str(PROGRAMS), design)


def root() -> Tree:
    tree = Tree()
    tree.file("usr/bin/python3.9", PYTHON, 0o755)
    tree.link("usr/bin/python3", "python3.9")
    tree.link("usr/lib/python3.9/sitecustomize.py", "/etc/python3.9/sitecustomize.py")
    tree.file("usr/lib/python3.9/__pycache__/sitecustomize.cpython-39.pyc", b"old")
    tree.file("usr/lib/python3.9/__pycache__/os.cpython-39.pyc", b"MAGC" + b"\0" * 4 + b"timesize" + b"code")
    tree.file("usr/lib/python3.9/test/big.py", b"x")
    return tree


def made(release: str, design: str = "") -> Tree:
    tree = root()
    put_into_core(tree, replica(release, design))
    return tree


def ids(tree: Tree) -> dict[str, str]:
    return build_ids(tree, TOOLS)


def test_each_program_is_the_roots_python_with_a_build_id_that_says_what_it_is() -> None:
    tree = made("2.24")
    program = tree.read(f"{TOOLS}/snapd")
    assert (len(program), program[:12], program[-6:]) == (len(PYTHON), PYTHON[:12], PYTHON[-6:])
    assert tree.entries[f"{TOOLS}/snapd"][0].mode == 0o755
    assert {bytes.fromhex(each)[-12:] for each in ids(tree).values()} == {b"replica 2.24"}
    assert len({short(each) for each in ids(tree).values()}) == len(ids(tree))


def test_build_ids_differ_by_release_by_design_and_by_python() -> None:
    releases = [short(ids(made(name))["snapd"]) for name in RELEASES]
    assert len(set(releases)) == len(RELEASES)
    assert ids(made("2.25"))["snapd"] != ids(made("2.25", "profiles-v2"))["snapd"]
    assert ids(made("2.25")) == ids(made("2.25"))
    other = Tree()
    other.file("usr/bin/python3.13", PYTHON + b"!", 0o755)
    put_programs(other, other, replica("2.25"))
    assert ids(other)["snapd"] != ids(made("2.25"))["snapd"]


@pytest.mark.parametrize(
    ("release", "more"),
    [("2.24", set()), ("2.27", {"snap-seccomp"}), ("2.29", {"snap-seccomp", "snap-update-ns"})],
)
def test_a_release_has_the_tools_of_its_time(release: str, more: set[str]) -> None:
    assert set(ids(made(release))) == {"snapd", "snap-confine", "snap-exec"} | more


def test_a_core_brings_its_launcher_s_profile_and_the_image_none() -> None:
    path = "etc/apparmor.d/usr.lib.snapd.snap-confine"
    assert made("2.28").read(path).decode() == launcher_profile(RELEASES["2.28"].apparmor)
    image = root()
    put_programs(image, image, replica("2.24"))
    assert path not in image


def test_a_later_release_s_core_is_newer_to_what_compares_times() -> None:
    times = [built(replica(release)) for release in RELEASES]
    assert times == sorted(set(times))
    assert built(replica("2.25", "bpf")) == built(replica("2.25"))
    assert inputs(replica("2.28"))["built"] == built(replica("2.28"))


def test_python_reads_our_hook_and_no_compiled_one() -> None:
    tree = made("2.24")
    hook = (PROGRAMS / "sitecustomize.py").read_bytes()
    assert tree.read("usr/lib/python3.9/sitecustomize.py") == hook
    assert "usr/lib/python3.9/__pycache__/sitecustomize.cpython-39.pyc" not in tree


def test_what_was_compiled_is_used_though_times_are_others_in_a_snap() -> None:
    compiled = made("2.24").read("usr/lib/python3.9/__pycache__/os.cpython-39.pyc")
    assert compiled == b"MAGC\x01\0\0\0timesizecode"
    assert "usr/lib/python3.9/test/big.py" not in made("2.24")


def test_the_table_lies_beside_the_programs_and_the_version_is_told() -> None:
    tree = made("2.25", "profiles-v2")
    table = json.loads(tree.read(f"{TOOLS}/replica/release.json"))
    assert table["full_name"] == "replica-2.25-profiles-v2"
    assert table["seccomp"]["directory"] == "seccomp/profiles-v2"
    assert tree.read(f"{TOOLS}/info") == b"VERSION=2.25+replica\n"
    assert f"{TOOLS}/replica/snapd_main.py" in tree


def test_what_goes_in_is_what_the_key_is_made_of() -> None:
    assert inputs(replica("2.24")) != inputs(replica("2.25"))
    assert inputs(replica("2.25")) != inputs(replica("2.25", "bpf"))
    assert inputs(replica("2.24")) == inputs(replica("2.24"))


def test_what_python_leaves_beside_the_programs_changes_nothing(tmp_path: Path) -> None:
    copy = tmp_path / "replica"
    shutil.copytree(PROGRAMS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = inputs(Replica("2.24", str(copy)))
    (copy / "programs/__pycache__").mkdir()
    (copy / "programs/__pycache__/era.pyc").write_bytes(b"x")
    assert inputs(Replica("2.24", str(copy))) == before
    (copy / "programs/era.py").write_text("")
    assert inputs(Replica("2.24", str(copy))) != before


def test_a_root_without_python_or_a_python_without_a_build_id() -> None:
    with pytest.raises(BuildFailed, match="has no Python"):
        put_programs(Tree(), Tree(), replica("2.24"))
    with pytest.raises(BuildFailed, match="has no build id"):
        with_build_id(b"\x7fELF", b"x" * 20)


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"has no sitecustomize\.py"):
        inputs(Replica("2.24", str(tmp_path)))
