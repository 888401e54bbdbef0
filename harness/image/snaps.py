# SPDX-License-Identifier: GPL-3.0-only
"""Service snaps of Debian packages: the programs, the libraries a core's root lacks, our wrapping."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness.errors import BuildFailed, Mistake
from harness.image import debs
from harness.image.build import tool_versions
from harness.image.core import opened, root_packages
from harness.image.debs import Deb
from harness.image.digest import key_of, sha256_of, tree_digest, write_json
from harness.image.recipe import SnapRecipe
from harness.image.recipe_file import load_snap_recipe
from harness.image.snapfile import SnapFile, snap_yaml, squash
from harness.image.store import MIB
from harness.image.tree import Tree
from harness.image.workshop import Workshop
from harness.model.catalogue import SnapEntry

_NEEDS = 300 * MIB
_META = "meta/snap.yaml"


def build_snap(entry: SnapEntry, variant: str, workshop: Workshop) -> SnapFile:
    """A variant of a service snap; from the store when it is there.

    :raise Mistake: the entry has no such variant, or its recipe is wrong.
    :raise HostLacks: no mirror answers.
    """
    if variant not in entry.variants:
        there = ", ".join(entry.variants)
        raise Mistake(f"{entry.span}: the snap {entry.name} has no variant {variant!r}; it has: {there}")
    recipe = load_snap_recipe(Path(entry.variants[variant]), entry.name, variant)
    given = _needed_debs(recipe, workshop)
    key = key_of(
        kind="snap",
        debs=[deb.row() for deb in given],
        keep=recipe.keep,
        version=recipe.version,
        files=[tree_digest(path) for path in recipe.files],
    )

    def make(directory: Path) -> None:
        workshop.tell(f"building snap {entry.name} {variant} (about 5 s)")
        _make(recipe, given, directory)

    place = workshop.store.obtain("snaps", key, make, needs=_NEEDS)
    return opened(place, "app.snap", f"{entry.name}_{variant}.snap", entry.name, "app")


def _needed_debs(recipe: SnapRecipe, workshop: Workshop) -> list[Deb]:
    """The packages and what they depend on, without what every root that it runs on has."""
    if not recipe.packages:
        return []
    brought = frozenset[str].intersection(*(root_packages(suite, workshop) for suite in recipe.rooted))
    found = workshop.archive.resolve(recipe.suite, recipe.packages)
    return [deb for deb in found.debs if deb.package not in brought]


def _make(recipe: SnapRecipe, given: Sequence[Deb], directory: Path) -> None:
    tree = Tree()
    wanted = [re.compile(pattern) for pattern in recipe.keep]
    for deb in given:
        with debs.content(deb) as content:
            tree.add_tar(content, lambda name: any(each.fullmatch(name) for each in wanted))
    _require_all(wanted, tree, recipe)
    for path in recipe.files:
        tree.add_directory(path)
    version = recipe.version or _version(recipe, given)
    _wrap(tree, version, recipe)
    squash(tree, directory / "app.snap")
    _write_manifest(directory, recipe, version, given)


def _require_all(wanted: Sequence[re.Pattern[str]], tree: Tree, recipe: SnapRecipe) -> None:
    """A package that moved a file would otherwise leave a snap without the program it is for."""
    unmet = [each.pattern for each in wanted if not any(each.fullmatch(name) for name in tree.entries)]
    if unmet:
        snap, files = f"{recipe.name} {recipe.variant}", ", ".join(unmet)
        raise BuildFailed(
            f"cannot make the snap {snap}: its packages have no file {files}",
            hint="correct `keep` in its recipe; `dpkg-deb -c FILE.deb` lists what a package has",
        )


def _version(recipe: SnapRecipe, given: Sequence[Deb]) -> str:
    """The first package's, in the letters and length that snapd allows."""
    first = next((deb for deb in given if deb.package == recipe.packages[0]), None)
    if first is None:
        raise BuildFailed(f"cannot make the snap {recipe.name}: a core's root has {recipe.packages[0]}")
    return re.sub(r"[^A-Za-z0-9.+~-]", "-", first.version)[:32]


def _wrap(tree: Tree, version: str, recipe: SnapRecipe) -> None:
    if _META not in tree:
        raise Mistake(f"cannot make the snap {recipe.name}: none of its `files` has {_META}")
    text = tree.read(_META).replace(b"@VERSION@", version.encode())
    meta = snap_yaml(text, f"the recipe of {recipe.name}")
    if meta["name"] != recipe.name:
        raise Mistake(f"cannot make the snap {recipe.name}: its {_META} calls it {meta['name']}")
    tree.file(_META, text)


def _write_manifest(directory: Path, recipe: SnapRecipe, version: str, given: Sequence[Deb]) -> None:
    write_json(
        directory / "manifest.json",
        {
            "snap": recipe.name,
            "variant": recipe.variant,
            "version": version,
            "sha256": sha256_of(directory / "app.snap"),
            "build_ids": {},
            "debs": [deb.row() for deb in given],
            "files": [tree_digest(path) for path in recipe.files],
            "tools": tool_versions(("sqfstar",)),
        },
    )
