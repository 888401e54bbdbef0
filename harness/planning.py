# SPDX-License-Identifier: GPL-3.0-only
"""From scenario files to plans, for every surface: finds the catalogue and picks the variants.

Light to import: nothing here knows of machines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import Mistake
from harness.model.catalogue import Catalogue
from harness.model.plan import Plan
from harness.scenario import matrix, source
from harness.scenario.catalogue import load_catalogue
from harness.scenario.compile import load_plans

CATALOGUE = Path("images", "catalogue.yaml")
GATE_SUFFIX = ".gate.yaml"
MATRIX_SUFFIX = ".matrix.yaml"


def find_catalogue(near: Path) -> Path:
    """The catalogue of the project that `near` lies in: ``images/catalogue.yaml`` beside or above it.

    :raise Mistake: there is none.
    """
    start = near.absolute()
    for directory in (start, *start.parents):
        if (directory / CATALOGUE).is_file():
            return directory / CATALOGUE
    raise Mistake(f"cannot find {CATALOGUE} in {start} or above", hint="give one with --catalogue FILE")


def plans_of(file: Path, catalogue: Catalogue, only: Mapping[str, str]) -> tuple[Plan, ...]:
    """One plan for each variant of the scenario in `file` that `only` leaves.

    :raise Mistakes: with every problem in the file.
    """
    if is_gate(file):
        raise Mistake(f"{file} is a gate, which lists scenarios and is none", hint=f"harness gate {file}")
    if is_matrix(file):
        raise Mistake(f"{file} is a matrix, which lists scenarios and is none", hint=f"harness matrix {file}")
    return chosen(load_plans(file, catalogue), only, file)


def plan_all(
    paths: Sequence[Path], catalogue: Path | None = None, only: Mapping[str, str] | None = None
) -> tuple[Plan, ...]:
    """The plans of several files or directories of them; the catalogue is looked for when none is given.

    :raise Mistakes: with every problem of the first file that has one.
    """
    files = [file for path in paths for file in scenario_files(path)]
    loaded = load_catalogue(catalogue or find_catalogue(paths[0]))
    return tuple(plan for file in files for plan in plans_of(file, loaded, only or {}))


def scenario_files(path: Path) -> tuple[Path, ...]:
    """The file itself, or the ``*.yaml`` files below a directory that are scenarios, sorted.

    What a matrix there lists is left to the matrix, which knows what each variant must come to.

    :raise Mistake: there is none, or a matrix cannot be read.
    """
    if not path.is_dir():
        return (path,)
    found = sorted(path.rglob("*.yaml"))
    cells = {file for each in found if is_matrix(each) for file in _listed(each)}
    files = tuple(file for file in found if is_scenario(file) and file.resolve() not in cells)
    if not files:
        raise Mistake(
            f"cannot find a scenario in {path}: it has no *.yaml file that is no gate or matrix,"
            " nor listed by a matrix"
        )
    return files


def _listed(file: Path) -> Iterator[Path]:
    """The scenario files of a matrix; its mistakes are told by those who run it."""
    for threat in matrix.decode(source.load(file), source.Problems()).threats:
        yield (file.parent / threat.listed.file).resolve()


def as_named_here(file: Path) -> Path:
    """The file as a user here would name it: mistakes and findings are told by this path."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


def is_gate(file: Path) -> bool:
    """True when the file is called as gates are, which are no scenarios."""
    return file.name.endswith(GATE_SUFFIX)


def is_matrix(file: Path) -> bool:
    """True when the file is called as matrices are, which are no scenarios either."""
    return file.name.endswith(MATRIX_SUFFIX)


def is_scenario(file: Path) -> bool:
    """True when the file is called neither as gates are nor as matrices."""
    return not (is_gate(file) or is_matrix(file))


def chosen(plans: tuple[Plan, ...], only: Mapping[str, str], file: Path) -> tuple[Plan, ...]:
    """The plans of `file` at those points of its matrix that `only` leaves.

    :raise Mistake: there is none.
    """
    left = tuple(plan for plan in plans if all(plan.variant.get(k) == v for k, v in only.items()))
    if left:
        return left
    wanted = ", ".join(f"{key}={value}" for key, value in only.items())
    there = "; ".join(_point(plan) for plan in plans)
    raise Mistake(f"{file}: cannot find a variant with {wanted}", hint=f"it has: {there}")


def _point(plan: Plan) -> str:
    return ", ".join(f"{key}={value}" for key, value in plan.variant.items()) or "only one, without a name"
