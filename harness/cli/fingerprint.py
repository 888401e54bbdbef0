# SPDX-License-Identifier: GPL-3.0-only
"""`harness fingerprint`: what each core's snapd makes, from control boots, for later runs to be judged by."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial

from harness.cli import lab_options, selection
from harness.errors import HarnessError
from harness.host.signals import terminate_on_signals
from harness.image.fingerprints import KIND
from harness.lab import Lab
from harness.model.event import FingerprintUsed
from harness.model.plan import Plan, SnapRef
from harness.results import Came, came_of_error, worst
from harness.running_fingerprints import take_fingerprint
from harness.scenario.alone import cores_of

Take = Callable[[Plan, SnapRef], FingerprintUsed]


def options(parser: argparse.ArgumentParser) -> None:
    selection.options(parser)
    lab_options.options(parser)


def carry_out(arguments: argparse.Namespace) -> int:
    plans = selection.selected(arguments)
    lab = Lab(lab_options.chosen(arguments, arguments.scenarios[0]), _tell)
    return take_all(plans, partial(take_fingerprint, lab=lab, tell=_tell))


def take_all(plans: Sequence[Plan], take: Take) -> int:
    """Take those of every core of every plan; one that cannot be taken does not keep the next from it.

    Returns 2 when a core's policy was not the same in both boots, or could not be read.
    """
    with terminate_on_signals():
        came = [_take(plan, core, take) for plan in plans for core in cores_of(plan)]
    return worst(came).exit_code


def _take(plan: Plan, core: SnapRef, take: Take) -> Came:
    what = f"core {core.entry} of {plan.title}"
    try:
        used = take(plan, core)
    except HarnessError as error:
        print(f"harness: {what}: {error}", file=sys.stderr)
        return came_of_error(error)
    one = used.fingerprint
    for refused in one.refused:
        print(f"harness: {what}: refused: {refused}", file=sys.stderr)
    kept = f"seccomp of {len(one.seccomp)} services, AppArmor of {len(one.apparmor)}"
    print(f"{what} has its fingerprint ({kept}): {KIND}/{used.key}", flush=True)
    return Came.UNPROVEN if one.refused else Came.HELD


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
