# SPDX-License-Identifier: GPL-3.0-only
"""The catalogue file: the names that scenarios use, and what they are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness.model.catalogue import (
    Catalogue,
    CoreEntry,
    CoreSource,
    DebFiles,
    ImageEntry,
    Replica,
    SnapEntry,
    SnapFileSource,
    SuitePackage,
    Tree,
)
from harness.replica.designs import DESIGNS
from harness.replica.releases import RELEASES
from harness.scenario import source
from harness.scenario.shapes import Field, Filled, ListOf, MapOf, OneOrMore, Record, Switch, Text
from harness.scenario.source import Problems, Scalar
from harness.scenario.steps import CONNECTION

Entry = TypeVar("Entry")

# Names become names of files on the payload disk.
_NAME = Text("a name of letters, digits and . + ~ _ -", r"[A-Za-z0-9][A-Za-z0-9.+~_-]*")
_SNAP_NAME = Text("a snap's name", r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_FILE = Text("a file's path")
_VERSION = Text("a version")

_IMAGE = Record(
    "the image",
    {
        "recipe": Field(_FILE, "the recipe it is built from", required=True),
        "deb": Field(_VERSION, "the version of snapd that the image itself carries"),
    },
)
ALL_DESIGNS = "all"
_SOURCES = ("suite", "debs", "snap", "tree", "release")
_OF_ONE_SOURCE = (
    ("version", "suite"),
    ("package", "suite"),
    ("sha256", "snap"),
    ("design", "release"),
    ("designs", "release"),
    ("programs", "release"),
)
_CORE = Record(
    "the core",
    {
        "suite": Field(Text("the name of a Debian suite"), "a Debian suite that has the version"),
        "version": Field(_VERSION, "the exact version of the package"),
        "package": Field(Text("the name of a package"), "the package, snapd by default"),
        "debs": Field(ListOf(_FILE, 1), "deb files"),
        "snap": Field(_FILE, "a snap file"),
        "sha256": Field(Text("64 hexadecimal digits", r"[0-9a-f]{64}"), "the digest of the snap file"),
        "tree": Field(Text("a directory's path"), "a directory laid out as a deb's content"),
        "release": Field(_VERSION, "a release that is re-created by a replica"),
        "design": Field(Text("the name of a design"), "what is different in that replica"),
        "designs": Field(
            OneOrMore(Text("the name of a design, or 'all'"), 1),
            "designs that make a core of their own each, called NAME-DESIGN; or 'all'",
        ),
        "programs": Field(Text("a directory's path"), "the replica's programs"),
        "claims": Field(_VERSION, "the version that the core gives itself, when not the package's"),
        "snap-variant": Field(_NAME, "the variant of service snaps that runs under this core"),
        "replica": Field(Switch(), "it re-creates a release rather than being one"),
    },
)
_SNAP = Record(
    "the snap",
    {
        "variants": Field(
            MapOf(_NAME, _FILE, 1), "a recipe for each variant, one of them 'default'", required=True
        ),
        "services": Field(ListOf(Text("an app's name", r"[A-Za-z0-9-]+")), "the apps that are daemons"),
        "connect": Field(ListOf(CONNECTION), "what is connected after installing it"),
        "replica": Field(Switch(), "it re-creates a release rather than being one"),
    },
)
DOCUMENT = Record(
    "the catalogue",
    {
        "images": Field(MapOf(_NAME, _IMAGE), "guest images"),
        "cores": Field(MapOf(_NAME, _CORE), "core snaps"),
        "snaps": Field(MapOf(_SNAP_NAME, _SNAP), "service snaps"),
    },
)


def load_catalogue(path: Path) -> Catalogue:
    """The catalogue in a file; paths in it are relative to the file's directory.

    Raises Mistake when the file cannot be read and Mistakes with all that is wrong in it.
    """
    problems = Problems()
    catalogue = decode(source.load(path), path.parent, problems)
    problems.raise_if_any()
    return catalogue


def decode(root: source.Node, directory: Path, problems: Problems) -> Catalogue:
    """The catalogue of a document; what is wrong is noted and left out."""
    filled = DOCUMENT.fill(root, "the file", problems)
    values: Mapping[str, Any] = filled.values if filled else {}
    catalogue = Catalogue(
        path=root.span.file,
        images=_entries(values, "images", partial(_image, directory)),
        cores=_cores(values, directory, problems),
        snaps=_entries(values, "snaps", partial(_snap, directory, problems)),
    )
    _note_unknown_variants(values, catalogue, problems)
    return catalogue


def _entries(
    values: Mapping[str, Any], key: str, make: Callable[[Scalar, Filled], Entry | None]
) -> dict[str, Entry]:
    made = ((name.text, make(name, filled)) for name, filled in values.get(key, ()))
    return {name: entry for name, entry in made if entry is not None}


def _cores(values: Mapping[str, Any], directory: Path, problems: Problems) -> dict[str, CoreEntry]:
    """The cores, and those that their designs make of them."""
    cores = _entries(values, "cores", partial(_core, directory, problems))
    made: dict[str, CoreEntry] = {}
    for name, filled in values.get("cores", ()):
        for design in _designs(filled, problems):
            made |= _designed(cores.get(name.text), design, {**cores, **made}, problems)
    return cores | made


def _designs(filled: Filled, problems: Problems) -> Iterator[Scalar]:
    """Each design by its name, where it is given."""
    for told in filled.get("designs", ()):
        if told.text in DESIGNS:
            yield told
        elif told.text == ALL_DESIGNS:
            yield from (Scalar(told.span, name, told.plain) for name in DESIGNS)
        else:
            problems.unknown(told.span, "design of a replica", told.text, (*DESIGNS, ALL_DESIGNS))


def _designed(
    core: CoreEntry | None, design: Scalar, others: Mapping[str, CoreEntry], problems: Problems
) -> dict[str, CoreEntry]:
    """The core with a design, by its name; nothing when what it is made of could not be read."""
    if core is None or not isinstance(core.source, Replica):
        return {}
    name = f"{core.name}-{design.text}"
    if name in others:
        message = f"{design.text!r} makes a core {name!r} of {core.name!r}, and there is one already"
        problems.add(design.span, message, hint=f"it is at {others[name].span}")
    source = replace(core.source, design=design.text)
    return {name: replace(core, name=name, source=source, designed_from=core.name)}


def _image(directory: Path, name: Scalar, filled: Filled) -> ImageEntry:
    return ImageEntry(name.text, _path(directory, filled.get("recipe")), name.span, _text(filled, "deb"))


def _core(directory: Path, problems: Problems, name: Scalar, filled: Filled) -> CoreEntry | None:
    given = [key for key in _SOURCES if key in filled.values]
    if len(given) != 1:
        found = f"has {' and '.join(map(repr, given))}" if given else "has no source"
        problems.add(name.span, f"the core {name.text!r} {found}", expected=f"one of {', '.join(_SOURCES)}")
        return None
    _note_strays(name, filled, given[0], problems)
    _note_unknown_replica(filled, problems)
    return CoreEntry(
        name=name.text,
        source=_source(directory, given[0], filled),
        span=name.span,
        claims=_text(filled, "claims"),
        snap_variant=_text(filled, "snap-variant"),
        replica=filled.get("replica", given == ["release"]),
    )


def _note_unknown_replica(filled: Filled, problems: Problems) -> None:
    for key, known in (("release", RELEASES), ("design", DESIGNS)):
        told = filled.get(key)
        if told is not None and told.text not in known:
            problems.unknown(told.span, f"{key} of a replica", told.text, known)


def _note_strays(name: Scalar, filled: Filled, source_key: str, problems: Problems) -> None:
    if source_key == "suite" and "version" not in filled.values:
        problems.add(name.span, f"the core {name.text!r} lacks 'version'", expected="the exact version")
    if source_key == "release" and "programs" not in filled.values:
        problems.add(name.span, f"the core {name.text!r} lacks 'programs'", expected="the replica's programs")
    if source_key == "release" and filled.get("replica") is False:
        problems.add(name.span, f"the core {name.text!r} is a replica", hint="leave 'replica: false' out")
    if "design" in filled.values and "designs" in filled.values:
        message = f"the core {name.text!r} has both 'design' and 'designs'"
        problems.add(name.span, message, expected="one of them")
    for key, belongs_to in _OF_ONE_SOURCE:
        if key in filled.values and source_key != belongs_to:
            told = filled.get(key)
            span = told[0].span if isinstance(told, tuple) else told.span
            problems.add(
                span, f"'{key}' says nothing about a core made from '{source_key}'", hint="leave it out"
            )


def _source(directory: Path, key: str, filled: Filled) -> CoreSource:
    match key:
        case "suite":
            package = _text(filled, "package") or "snapd"
            return SuitePackage(_text(filled, "suite"), _text(filled, "version"), package)
        case "debs":
            return DebFiles(tuple(_path(directory, each) for each in filled.get("debs")))
        case "snap":
            return SnapFileSource(_path(directory, filled.get("snap")), _text(filled, "sha256"))
        case "release":
            programs = filled.get("programs")
            where = _path(directory, programs) if programs else ""
            return Replica(_text(filled, "release"), where, _text(filled, "design"))
        case _:
            return Tree(_path(directory, filled.get("tree")))


def _snap(directory: Path, problems: Problems, name: Scalar, filled: Filled) -> SnapEntry:
    if name.text == "core":
        problems.add(name.span, "'core' is not a service snap", hint="cores are listed under 'cores'")
    variants = {variant.text: _path(directory, path) for variant, path in filled.get("variants", ())}
    if "default" not in variants:
        problems.add(name.span, f"the snap {name.text!r} has no variant 'default'")
    for connection in filled.get("connect", ()):
        if not any(end.startswith(f"{name.text}:") for end in connection.text.split()):
            problems.add(connection.span, f"{connection.text!r} has no end in {name.text!r}")
    return SnapEntry(
        name=name.text,
        span=name.span,
        variants=variants,
        services=tuple(each.text for each in filled.get("services", ())),
        connect=tuple(each.text for each in filled.get("connect", ())),
        replica=filled.get("replica", False),
    )


def _note_unknown_variants(values: Mapping[str, Any], catalogue: Catalogue, problems: Problems) -> None:
    known = {variant for snap in catalogue.snaps.values() for variant in snap.variants}
    for name, filled in values.get("cores", ()):
        variant = filled.get("snap-variant")
        if variant is not None and variant.text not in known:
            problems.unknown(
                variant.span, f"variant (no snap has it, but {name.text!r} wants it)", variant.text, known
            )


def _path(directory: Path, scalar: Scalar) -> str:
    return str(directory.absolute() / scalar.text)


def _text(filled: Filled, key: str) -> str:
    scalar = filled.get(key)
    return scalar.text if scalar else ""
