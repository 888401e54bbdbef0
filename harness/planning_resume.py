# SPDX-License-Identifier: GPL-3.0-only
"""Picks the plan whose sweep goes on in a run directory: it must be the one that was recorded there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.errors import Mistake
from harness.host.rundir import RunDirectory
from harness.model.plan import Plan
from harness.record import read_plan
from harness.scenario.same_plan import differences, is_same


def resumed(plans: Sequence[Plan], directory: Path) -> Plan:
    """The one of the plans that was recorded in this run directory, for a sweep.

    :raise Mistake: none of them was, or it was not for a sweep; says which file to run.
    :raise RecordUnusable: the directory's plan is of another format.
    """
    if not RunDirectory(directory).plan.exists():
        raise Mistake(f"cannot go on with {directory}: it is no run directory")
    recorded = read_plan(directory)
    if recorded.cut:
        recording = directory.parent / recorded.cut.recording
        raise Mistake(
            f"cannot go on with {directory}: it is the boot after a cut of {recorded.cut.recording}",
            hint=f"go on with the sweep: {run_again(recorded, recording)}",
        )
    if recorded.sweep is None:
        raise Mistake(
            f"cannot go on with {directory}: its scenario has no sweep",
            hint=f"carry it out anew: {run_again(recorded)}",
        )
    same = next((plan for plan in plans if is_same(plan, recorded)), None)
    return same or _refuse(plans, recorded, directory)


def _refuse(plans: Sequence[Plan], recorded: Plan, directory: Path) -> Plan:
    """:raise Mistake: always; another scenario was given, or it is not any more what it was."""
    changed = next((plan for plan in plans if plan.title == recorded.title), None)
    if changed:
        fields = ", ".join(differences(changed, recorded))
        raise Mistake(
            f"cannot go on with {directory}: {changed.file} is not what was recorded ({fields})",
            hint=f"make it again as {RunDirectory(directory).plan} says, or carry it out anew:"
            f" {run_again(changed)}",
        )
    given = ", ".join(plan.title for plan in plans)
    raise Mistake(
        f"cannot go on with {directory}: it is of {recorded.title}, not of {given}",
        hint=run_again(recorded, directory),
    )


def run_again(plan: Plan, directory: Path | None = None, *options: str) -> str:
    """The command that carries the plan out, or goes on with its sweep in a run directory."""
    variant = [word for pair in plan.variant.items() for word in ("--set-variant", "=".join(pair))]
    resume = ["--resume", str(directory)] if directory else []
    return shlex.join(["harness", "run", plan.file, *variant, *resume, *options])
