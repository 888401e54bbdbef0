# SPDX-License-Identifier: GPL-3.0-only
"""Recipe files: the project's own are right, and mistakes are told with their place, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import Mistakes
from harness.image.recipe import DiskRecipe, KernelFiles, KernelRecipe, SuiteRecipe
from harness.image.recipe_file import load_recipe, load_snap_recipe
from harness.model.catalogue import SuitePackage
from harness.scenario.catalogue import load_catalogue

IMAGES = Path(__file__).parents[3] / "images"
CATALOGUE = load_catalogue(IMAGES / "catalogue.yaml")

SUITE = """\
summary: a guest
suite: trixie
packages: [systemd]
kernel: {package: linux-image-amd64, initrd: [ext4]}
init: init
size: 2G
cmdline: console=ttyS0
"""
DISK = """\
summary: my own
disk: mine.qcow2
root: /dev/vda1
cmdline: quiet
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("init", "mine.qcow2", "vmlinuz", "initrd.img"):
        (tmp_path / name).write_text(name)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "guest.yaml"
    path.write_text(text)
    return path


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        load_recipe(written(folder, text))
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


@pytest.mark.parametrize("entry", CATALOGUE.images.values(), ids=lambda entry: entry.name)
def test_the_projects_images(entry: object) -> None:
    recipe = load_recipe(Path(entry.recipe))  # type: ignore[attr-defined]
    assert isinstance(recipe, SuiteRecipe)
    assert recipe.suite == "trixie"
    packages = {deb.package for deb in recipe.debs if isinstance(deb, SuitePackage)}
    assert packages == (set() if recipe.replica else {"snapd"})


@pytest.mark.parametrize(
    ("name", "variant", "path"),
    [(snap.name, name, path) for snap in CATALOGUE.snaps.values() for name, path in snap.variants.items()],
)
def test_the_projects_snaps(name: str, variant: str, path: str) -> None:
    recipe = load_snap_recipe(Path(path), name, variant)
    assert any((files / "meta/snap.yaml").is_file() for files in recipe.files)


def test_a_suite_recipe(folder: Path) -> None:
    recipe = load_recipe(written(folder, SUITE))
    assert isinstance(recipe, SuiteRecipe)
    assert recipe.name == "guest"
    assert recipe.size == 2 << 30
    assert recipe.root == "/dev/vda"
    assert recipe.init == folder / "init"


def test_like_takes_what_is_not_said(folder: Path) -> None:
    written(folder, SUITE)
    (folder / "other.yaml").write_text("summary: another\nlike: guest.yaml\nsize: 512M\n")
    recipe = load_recipe(folder / "other.yaml")
    assert isinstance(recipe, SuiteRecipe)
    assert (recipe.summary, recipe.size, recipe.packages) == ("another", 512 << 20, ("systemd",))


def test_like_in_a_circle(folder: Path) -> None:
    assert any("like each other in a circle" in line for line in mistakes(folder, "like: guest.yaml\n"))


def test_a_disk_of_the_users_with_its_own_kernel(folder: Path) -> None:
    text = DISK + "kernel-file: vmlinuz\ninitrd-file: initrd.img\n"
    recipe = load_recipe(written(folder, text))
    assert isinstance(recipe, DiskRecipe)
    assert recipe.boot == KernelFiles(folder / "vmlinuz", folder / "initrd.img")


def test_a_disk_of_the_users_with_our_initrd(folder: Path) -> None:
    text = DISK + "suite: trixie\ninit: init\nkernel: {package: linux-image-amd64, initrd: [ext4]}\n"
    recipe = load_recipe(written(folder, text))
    assert isinstance(recipe, DiskRecipe)
    assert recipe.boot == KernelRecipe("linux-image-amd64", ("ext4",))


def test_a_disk_needs_something_to_boot_it(folder: Path) -> None:
    assert "what boots the disk is not clear" in mistakes(folder, DISK + "kernel-file: vmlinuz\n")[0]


def test_all_mistakes_are_told_with_their_places(folder: Path) -> None:
    text = "summary: a guest\nsuite: Trixie\npakages: [systemd]\nsize: 2T\ninit: init\n"
    told = mistakes(folder, text)
    assert [line.partition(" ")[0] for line in told] == [
        "guest.yaml:1:1:",
        "guest.yaml:1:1:",
        "guest.yaml:1:1:",
        "guest.yaml:2:8:",
        "guest.yaml:3:1:",
        "guest.yaml:4:7:",
    ]
    assert "did you mean packages?" in told[4]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("init: elsewhere", "guest.yaml:8:7: no such file: 'elsewhere'"),
        ("init: init\nfiles: [init]", "guest.yaml:9:9: no such directory: 'init'"),
        ("init: init\ndebs: [{package: snapd, suite: sid}]", "guest.yaml:9:8: the deb is not clear"),
        ("init: init\ndebs: [{file: init, suite: sid}]", "guest.yaml:9:8: the deb is not clear"),
        ("init: init\nunpack: [{file: init, files: {}}]", "guest.yaml:9:30: 'files' is empty"),
    ],
)
def test_one_mistake(folder: Path, change: str, told: str) -> None:
    text = SUITE.replace("init: init\n", "")
    lines = mistakes(folder, f"{text}\n{change}\n".replace("\n\n", "\n# none\n"))
    assert lines[0].startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("summary: s\nversion: '1'\nrooted: [trixie]\nfiles: []\n", "'files' is empty"),
        ("summary: s\nrooted: [trixie]\nfiles: [.]\n", "lacks 'version'"),
        ("summary: s\nsuite: trixie\nrooted: [trixie]\nfiles: [.]\n", "go together"),
        ("summary: s\nversion: '1'\nrooted: [trixie]\nfiles: [.]\nkeep: ['(']\n", "no regular expression"),
    ],
)
def test_mistakes_in_a_snaps_recipe(folder: Path, text: str, told: str) -> None:
    with pytest.raises(Mistakes, match=told):
        load_snap_recipe(written(folder, text), "snap", "default")
