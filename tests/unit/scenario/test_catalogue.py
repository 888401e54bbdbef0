# SPDX-License-Identifier: GPL-3.0-only
"""The catalogue's file: every kind of entry, and every kind of mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import Mistake, Mistakes
from harness.model.catalogue import Catalogue, DebFiles, Replica, SnapFileSource, SuitePackage, Tree
from harness.replica.designs import DESIGNS
from harness.scenario.catalogue import load_catalogue
from harness.scenario.versions import core_version


def test_sources(catalogue: Catalogue) -> None:
    directory = Path(catalogue.path).parent
    sources = {name: core.source for name, core in catalogue.cores.items()}
    assert sources["2.57.6"] == SuitePackage("bookworm", "2.57.6-1+deb12u1+b2", "snapd")
    assert sources["mine"] == SnapFileSource(str(directory / "core.snap"), "0123456789abcdef" * 4)
    assert sources["mydeb"] == DebFiles((str(directory / "a.deb"), "/srv/b.deb"))
    assert sources["mytree"] == Tree(str(directory / "tree"))


def test_the_rest_of_an_entry(catalogue: Catalogue) -> None:
    old, tree = catalogue.cores["2.49"], catalogue.cores["mytree"]
    assert (old.claims, old.snap_variant, old.replica) == ("2.57.6+really2.49", "bullseye", False)
    assert (tree.claims, tree.snap_variant, tree.replica) == ("", "", True)
    manager = catalogue.snaps["network-manager"]
    assert list(manager.variants) == ["default", "bullseye"]
    assert manager.services == ("networkmanager",)
    assert manager.connect[1] == "network-manager:nmcli network-manager:service"
    assert catalogue.images["trixie-snapd-2.49"].deb == "2.49"


def test_a_replica_is_marked_without_saying_so(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("cores: {old: {release: 2.25, programs: p, design: bpf}, real: {tree: t}}")
    cores = load_catalogue(file).cores
    assert cores["old"].source == Replica("2.25", str(tmp_path / "p"), "bpf")
    assert (cores["old"].replica, cores["real"].replica) == (True, False)
    assert core_version(cores["old"]) == "2.25"


def test_designs_make_cores_of_a_core(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "snaps: {s: {variants: {default: x, v: y}}}\n"
        "cores: {old: {release: 2.25, programs: p, snap-variant: v, designs: [bpf, digest]}}"
    )
    cores = load_catalogue(file).cores
    assert list(cores) == ["old", "old-bpf", "old-digest"]
    assert cores["old"].source == Replica("2.25", str(tmp_path / "p"))
    assert cores["old-bpf"].source == Replica("2.25", str(tmp_path / "p"), "bpf")
    assert (cores["old-bpf"].replica, cores["old-bpf"].snap_variant) == (True, "v")
    assert [core.designed_from for core in cores.values()] == ["", "old", "old"]


def test_all_designs(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("cores: {old: {release: 2.25, programs: p, designs: all}}")
    assert list(load_catalogue(file).cores) == ["old", *(f"old-{design}" for design in DESIGNS)]


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/c.yaml").write_text("images: {i: {recipe: r.yaml}}")
    monkeypatch.chdir(tmp_path)
    assert load_catalogue(Path("images/c.yaml")).images["i"].recipe == str(tmp_path / "images/r.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "imags: {}",
            "1:1: unknown key in the catalogue 'imags'; expected one of cores, images, snaps; did you",
        ),
        ("cores: []", "1:8: 'cores' is a list; expected a mapping"),
        (
            "cores: {a: {}}",
            "1:9: the core 'a' has no source; expected one of suite, debs, snap, tree, release",
        ),
        ("cores: {a: {snap: x, tree: y}}", "1:9: the core 'a' has 'snap' and 'tree'; expected one of"),
        ("cores: {a: {suite: trixie}}", "1:9: the core 'a' lacks 'version'"),
        ("cores: {a: {tree: x, version: 1}}", "1:31: 'version' says nothing about a core made from 'tree'"),
        (
            "cores: {a: {tree: x, sha256: %s}}" % ("a" * 64),
            "'sha256' says nothing about a core made from 'tree'",
        ),
        ("cores: {a: {snap: x, sha256: abc}}", "1:30: 'sha256' is 'abc'; expected 64 hexadecimal digits"),
        ("cores: {a: {release: 2.23, programs: x}}", "1:22: unknown release of a replica '2.23'"),
        ("cores: {a: {release: 2.24}}", "1:9: the core 'a' lacks 'programs'"),
        ("cores: {a: {release: 2.24, programs: x, design: y}}", "unknown design of a replica 'y'"),
        (
            "cores: {a: {release: 2.24, programs: x, designs: [bqf]}}",
            "1:51: unknown design of a replica 'bqf'",
        ),
        ("cores: {a: {release: 2.24, programs: x, designs: []}}", "1:50: 'designs' is empty"),
        ("cores: {a: {release: 2.24, programs: x, designs: [all, bpf]}}", "there is one already"),
        (
            "cores: {a: {release: 2.24, programs: x, designs: bpf}, a-bpf: {tree: t}}",
            "1:50: 'bpf' makes a core 'a-bpf' of 'a', and there is one already; it is at",
        ),
        (
            "cores: {a: {release: 2.24, programs: x, design: bpf, designs: all}}",
            "1:9: the core 'a' has both 'design' and 'designs'",
        ),
        ("cores: {a: {tree: x, designs: all}}", "1:31: 'designs' says nothing about a core made from 'tree'"),
        ("cores: {a: {release: 2.24, programs: x, replica: false}}", "1:9: the core 'a' is a replica"),
        ("cores: {a: {tree: x, programs: y}}", "'programs' says nothing about a core made from 'tree'"),
        ("cores: {a: {snap: x, replica: yes}}", "1:31: 'replica' is 'yes'; expected true or false"),
        ("cores: {a/b: {snap: x}}", "1:9: the key 'a/b' is 'a/b'; expected a name of letters"),
        (
            "cores: {a: {snap: x, snap-variant: old}}",
            "unknown variant (no snap has it, but 'a' wants it) 'old'",
        ),
        ("cores: {a: {debs: []}}", "1:19: 'debs' is empty"),
        ("snaps: {a: {variants: {old: x}}}", "1:9: the snap 'a' has no variant 'default'"),
        ("snaps: {a: {services: [b]}}", "1:12: the snap lacks 'variants'"),
        ("snaps: {core: {variants: {default: x}}}", "1:9: 'core' is not a service snap"),
        ("snaps: {A: {variants: {default: x}}}", "1:9: the key 'A' is 'A'; expected a snap's name"),
        ("snaps: {a: {variants: {default: x}, connect: [b:c]}}", "'b:c' has no end in 'a'"),
        ("images: {a: {deb: 1}}", "1:13: the image lacks 'recipe'"),
        ("images: {a: {recipe: [x]}}", "1:22: 'recipe' is a list; expected a file's path"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(Mistakes) as caught:
        load_catalogue(file)
    assert len(caught.value.problems) == 1
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{file}:1:")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="cannot read the file: No such file"):
        load_catalogue(tmp_path / "c.yaml")
