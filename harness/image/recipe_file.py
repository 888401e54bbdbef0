# SPDX-License-Identifier: GPL-3.0-only
"""Recipe files: YAML to recipes, every mistake of a file told at once with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.image.recipe import (
    DebSource,
    DiskRecipe,
    KernelFiles,
    KernelRecipe,
    Recipe,
    SnapRecipe,
    SuiteRecipe,
    Unpack,
)
from harness.model.catalogue import Replica, SuitePackage
from harness.model.spans import Span
from harness.replica.releases import RELEASES
from harness.scenario import source
from harness.scenario.shapes import Field, Filled, ListOf, MapOf, Record, Text
from harness.scenario.source import Problems, Scalar, Table

_UNITS = {"M": 1 << 20, "G": 1 << 30}
_WORDS = ListOf(Text("a word", r"\S+"))
_SUITE = Field(Text("the name of a Debian suite", r"[a-z][a-z0-9-]*"), "the Debian suite to install from")
_FILE = Text("a file's path")
_DEB = {
    "package": Field(Text("the name of a package", r"\S+"), "the package"),
    "suite": Field(_SUITE.shape, "the Debian suite that has it"),
    "version": Field(Text("a version", r"\S+"), "its exact version"),
    "file": Field(_FILE, "a deb file, instead of the other three"),
}
_DEB_RECORD = Record("the deb", _DEB)
_UNPACK = Record(
    "the deb to unpack",
    {**_DEB, "files": Field(MapOf(_FILE, _FILE, 1), "path in the deb: path in the guest", required=True)},
)
_REPLICA = Record(
    "the replica",
    {
        "release": Field(Text("a version"), "the release that it re-creates", required=True),
        "programs": Field(_FILE, "the directory of its programs", required=True),
    },
)
_KERNEL = Record(
    "the kernel",
    {
        "package": Field(Text("the name of a package"), "the kernel's package", required=True),
        "initrd": Field(_WORDS, "modules that the initrd loads, in this order", required=True),
        "keep": Field(_WORDS, "modules that the guest's disk has besides them"),
    },
)
_SUITE_IMAGE = Record(
    "the recipe",
    {
        "summary": Field(Text("one line of text", r"[^\n]+"), "one line for people", required=True),
        "like": Field(_FILE, "a recipe whose keys hold where this one has none"),
        "suite": Field(_SUITE.shape, _SUITE.summary, required=True),
        "packages": Field(_WORDS, "packages of the suite", required=True),
        "debs": Field(ListOf(_DEB_RECORD), "debs from elsewhere"),
        "replica": Field(_REPLICA, "a replica of snapd, instead of a deb"),
        "unpack": Field(ListOf(_UNPACK), "single files out of debs from elsewhere"),
        "kernel": Field(_KERNEL, "the kernel and its modules", required=True),
        "init": Field(_FILE, "the script of the initrd", required=True),
        "setup": Field(_FILE, "a script that is given the installed root"),
        "files": Field(ListOf(_FILE), "directories that are laid over the root"),
        "mask": Field(_WORDS, "units that are masked"),
        "size": Field(Text("a size such as 4G", r"[1-9]\d*[MG]"), "the size of the disk", required=True),
        "root": Field(Text("a device such as /dev/vda", r"/dev/\S+"), "the root device"),
        "cmdline": Field(Text("the kernel's options"), "the kernel's options", required=True),
    },
)
_DISK_IMAGE = Record(
    "the recipe",
    {
        "summary": Field(Text("one line of text", r"[^\n]+"), "one line for people", required=True),
        "disk": Field(_FILE, "a qcow2 file", required=True),
        "sha256": Field(Text("64 hexadecimal digits", r"[0-9a-f]{64}"), "the digest of the disk"),
        "kernel-file": Field(_FILE, "a kernel to boot it with"),
        "initrd-file": Field(_FILE, "the initrd that goes with that kernel"),
        "suite": Field(_SUITE.shape, "the suite of the kernel's package"),
        "kernel": Field(_KERNEL, "a kernel's package, started by our initrd"),
        "init": Field(_FILE, "the script of our initrd"),
        "root": Field(Text("a device such as /dev/vda1", r"/dev/\S+"), "the root device", required=True),
        "cmdline": Field(Text("the kernel's options"), "the kernel's options", required=True),
    },
)
_SNAP = Record(
    "the recipe",
    {
        "summary": Field(Text("one line of text", r"[^\n]+"), "one line for people", required=True),
        "version": Field(
            Text("a version", r"[a-zA-Z0-9.+~:-]{1,32}"),
            "its version, if not a package's",
        ),
        "suite": Field(_SUITE.shape, "the Debian suite that the packages are of"),
        "packages": Field(_WORDS, "packages that are unpacked with the libraries they need"),
        "rooted": Field(_WORDS, "suites whose root file systems the snap runs on", required=True),
        "keep": Field(_WORDS, "regular expressions: which of the packages' files are kept"),
        "files": Field(ListOf(_FILE, 1), "directories laid over them, with meta/snap.yaml", required=True),
    },
)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the values of one file into what the model calls them."""

    directory: Path
    problems: Problems

    def path(self, scalar: Scalar, *, folder: bool = False) -> Path:
        """An absolute path that exists; a missing one is noted."""
        path = (self.directory / scalar.text).resolve()
        if not (path.is_dir() if folder else path.is_file()):
            kind = "directory" if folder else "file"
            self.problems.add(scalar.span, f"no such {kind}: {scalar.text!r}", hint=f"looked at {path}")
        return path

    def paths(self, filled: Filled, key: str) -> tuple[Path, ...]:
        return tuple(self.path(each, folder=True) for each in filled.get(key, ()))

    def deb(self, filled: Filled) -> DebSource:
        named = [key for key in ("package", "suite", "version") if key in filled.values]
        if "file" in filled.values and not named:
            return self.path(filled.get("file"))
        if "file" in filled.values or len(named) != 3:
            self.problems.add(
                filled.span, "the deb is not clear", expected="'file', or 'package', 'suite' and 'version'"
            )
        return SuitePackage(_text(filled, "suite"), _text(filled, "version"), _text(filled, "package"))

    def replica(self, filled: Filled | None) -> Replica | None:
        """What stands for snapd; a release that there is no replica of is noted."""
        if filled is None:
            return None
        release: Scalar = filled.get("release")
        if release.text not in RELEASES:
            self.problems.unknown(release.span, "release of a replica", release.text, RELEASES)
        return Replica(release.text, str(self.path(filled.get("programs"), folder=True)))

    def unpack(self, filled: Filled) -> Unpack:
        return Unpack(self.deb(filled), {key.text: to.text for key, to in filled.get("files")})


def load_recipe(path: Path) -> Recipe:
    """The image recipe in a file; paths in it are relative to the file's directory.

    :raise Mistake: the file cannot be read.
    :raise Mistakes: with all that is wrong in it.
    """
    problems = Problems()
    root = _merged(source.load(path), path, problems)
    reader = _Reader(path.absolute().parent, problems)
    own_disk = isinstance(root, Table) and root.get("disk") is not None
    filled = (_DISK_IMAGE if own_disk else _SUITE_IMAGE).fill(root, "the file", problems)
    problems.raise_if_any()
    assert filled is not None
    name = path.name.removesuffix(".yaml")
    recipe = _disk(name, filled, reader) if own_disk else _suite(name, filled, reader)
    problems.raise_if_any()
    return recipe


def _merged(root: source.Node, path: Path, problems: Problems, depth: int = 0) -> source.Node:
    """The table with the keys of the recipe that it is `like`, where it has none itself."""
    like = root.get("like") if isinstance(root, Table) else None
    if not isinstance(root, Table) or not isinstance(like, Scalar):
        return root
    if depth > 8:
        problems.add(like.span, "recipes are like each other in a circle")
        return root
    other = path.parent / like.text
    base = _merged(source.load(other), other, problems, depth + 1)
    if not isinstance(base, Table):
        problems.add(like.span, f"{like.text!r} is no recipe")
        return root
    own = {key.text for key, _ in root.entries}
    return Table(root.span, (*root.entries, *(pair for pair in base.entries if pair[0].text not in own)))


def _suite(name: str, filled: Filled, reader: _Reader) -> SuiteRecipe:
    setup = filled.get("setup")
    return SuiteRecipe(
        name=name,
        summary=_text(filled, "summary"),
        suite=_text(filled, "suite"),
        packages=_texts(filled, "packages"),
        kernel=_kernel(filled.get("kernel")),
        init=reader.path(filled.get("init")),
        setup=reader.path(setup) if setup else None,
        debs=tuple(reader.deb(each) for each in filled.get("debs", ())),
        unpack=tuple(reader.unpack(each) for each in filled.get("unpack", ())),
        files=reader.paths(filled, "files"),
        mask=_texts(filled, "mask"),
        replica=reader.replica(filled.get("replica")),
        size=_size(_text(filled, "size")),
        root=_text(filled, "root") or "/dev/vda",
        cmdline=_text(filled, "cmdline"),
    )


def _disk(name: str, filled: Filled, reader: _Reader) -> DiskRecipe:
    init = filled.get("init")
    return DiskRecipe(
        name=name,
        summary=_text(filled, "summary"),
        disk=reader.path(filled.get("disk")),
        boot=_boot(filled, reader),
        cmdline=_text(filled, "cmdline"),
        root=_text(filled, "root"),
        sha256=_text(filled, "sha256"),
        suite=_text(filled, "suite"),
        init=reader.path(init) if init else None,
    )


def _boot(filled: Filled, reader: _Reader) -> KernelFiles | KernelRecipe:
    given = frozenset(filled.values) & {"kernel-file", "initrd-file", "kernel", "suite", "init"}
    if given == {"kernel-file", "initrd-file"}:
        return KernelFiles(reader.path(filled.get("kernel-file")), reader.path(filled.get("initrd-file")))
    if given == {"kernel", "suite", "init"}:
        return _kernel(filled.get("kernel"))
    expected = "'kernel-file' and 'initrd-file', or 'suite', 'kernel' and 'init'"
    reader.problems.add(filled.span, "what boots the disk is not clear", expected=expected)
    return KernelRecipe("", ())


def load_snap_recipe(path: Path, name: str, variant: str) -> SnapRecipe:
    """The recipe of a service snap's variant.

    :raise Mistake: the file cannot be read.
    :raise Mistakes: with all that is wrong in it.
    """
    problems = Problems()
    filled = _SNAP.fill(source.load(path), "the file", problems)
    problems.raise_if_any()
    assert filled is not None
    reader = _Reader(path.absolute().parent, problems)
    for word in filled.get("keep", ()):
        _note_bad_pattern(word, problems)
    recipe = SnapRecipe(
        name=name,
        variant=variant,
        version=_text(filled, "version"),
        suite=_text(filled, "suite"),
        packages=_texts(filled, "packages"),
        rooted=_texts(filled, "rooted"),
        keep=_texts(filled, "keep"),
        files=reader.paths(filled, "files"),
    )
    _note_missing_source(recipe, filled.span, problems)
    problems.raise_if_any()
    return recipe


def _note_bad_pattern(word: Scalar, problems: Problems) -> None:
    try:
        re.compile(word.text)
    except re.error as error:
        problems.add(word.span, f"{word.text!r} is no regular expression: {error}")


def _note_missing_source(recipe: SnapRecipe, span: Span, problems: Problems) -> None:
    if bool(recipe.suite) != bool(recipe.packages):
        problems.add(span, "'suite' and 'packages' go together")
    if not recipe.packages and not recipe.version:
        problems.add(span, "the recipe lacks 'version'", expected="one: there is no package")


def _kernel(filled: Filled) -> KernelRecipe:
    return KernelRecipe(_text(filled, "package"), _texts(filled, "initrd"), _texts(filled, "keep"))


def _size(text: str) -> int:
    return int(text[:-1]) * _UNITS[text[-1]]


def _text(filled: Filled, key: str) -> str:
    scalar: Scalar | None = filled.get(key)
    return scalar.text if scalar else ""


def _texts(filled: Filled, key: str) -> tuple[str, ...]:
    return tuple(scalar.text for scalar in filled.get(key, ()))
