# SPDX-License-Identifier: GPL-3.0-only
"""`harness build`: images, cores and snaps ahead of a run."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from harness.cli import sources
from harness.errors import HarnessError, Mistake
from harness.host.signals import terminate_on_signals
from harness.image.build import build_image
from harness.image.core import build_core
from harness.image.snaps import build_snap
from harness.image.workshop import Workshop, open_workshop
from harness.lab_prepared import prepare
from harness.model.catalogue import Catalogue
from harness.model.plan import Plan
from harness.planning import find_catalogue, is_gate, is_matrix, plans_of
from harness.planning_gate import plan_gate
from harness.planning_matrix import plan_matrix
from harness.results import Came, came_of_error, worst
from harness.scenario.catalogue import load_catalogue

Make = Callable[[Workshop], object]


def options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "names",
        nargs="*",
        metavar="NAME",
        help="an image, core or snap of the catalogue, or a scenario, gate or matrix file, for what it needs;"
        " by default all entries of the catalogue, without the cores that designs make of them",
    )
    add("--catalogue", type=Path, metavar="FILE", help="what names stand for (images/catalogue.yaml)")
    sources.options(parser)


def carry_out(arguments: argparse.Namespace) -> int:
    """Build one after the other; one that cannot be built does not keep the next from being built."""
    catalogue = load_catalogue(arguments.catalogue or find_catalogue(Path.cwd()))
    table = makers(catalogue)
    scenarios = {name: _of_scenario(name, catalogue) for name in arguments.names if name.endswith(".yaml")}
    _require_known(arguments.names, table | scenarios)
    names = arguments.names or _entries(catalogue)
    chosen = {name: makes for name, makes in table.items() if name in names} | scenarios
    with terminate_on_signals():
        workshop = open_workshop(
            _tell,
            root=arguments.cache,
            mirror=arguments.mirror,
            snapshot=arguments.snapshot,
            snapshot_base=arguments.snapshot_base,
        )
        return worst(_build(name, makes, workshop) for name, makes in chosen.items()).exit_code


def makers(catalogue: Catalogue) -> dict[str, list[Make]]:
    """What is to be made for each name; one that is an image's and a core's stands for both."""
    made: dict[str, list[Make]] = {}
    for name, image in catalogue.images.items():
        made.setdefault(name, []).append(partial(build_image, image))
    for name, core in catalogue.cores.items():
        made.setdefault(name, []).append(partial(build_core, core))
    for name, snap in catalogue.snaps.items():
        made.setdefault(name, []).extend(partial(build_snap, snap, variant) for variant in snap.variants)
    return made


def _entries(catalogue: Catalogue) -> frozenset[str]:
    """What has an entry of its own: designs make dozens of cores, of which a run needs two."""
    cores = (name for name, core in catalogue.cores.items() if not core.designed_from)
    return frozenset((*catalogue.images, *cores, *catalogue.snaps))


def _of_scenario(file: str, catalogue: Catalogue) -> list[Make]:
    """What a scenario's variants need, or all that are in a list of them; raises Mistakes."""
    return [partial(prepare, plan, catalogue) for plan in _plans(Path(file), catalogue)]


def _plans(file: Path, catalogue: Catalogue) -> Sequence[Plan]:
    if is_matrix(file):
        return tuple(cells[0].plan for cells in plan_matrix(file, catalogue).by_run.values())
    if not is_gate(file):
        return plans_of(file, catalogue, {})
    gate = plan_gate(file, catalogue)
    return (*gate.controls, *gate.scenarios)


def _require_known(names: Sequence[str], table: Mapping[str, object]) -> None:
    for name in names:
        if name not in table:
            close = difflib.get_close_matches(name, table, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(table)}"
            raise Mistake(f"cannot build {name!r}: the catalogue has no such image, core or snap", hint=hint)


def _build(name: str, makes: Sequence[Make], workshop: Workshop) -> Came:
    try:
        for make in makes:
            make(workshop)
    except HarnessError as error:
        print(f"harness: {name}: {error}", file=sys.stderr)
        return came_of_error(error)
    print(f"{name} is built", flush=True)
    return Came.HELD


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
