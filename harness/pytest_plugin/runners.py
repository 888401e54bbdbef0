# SPDX-License-Identifier: GPL-3.0-only
"""The session's runner: opened by the first item that runs, closed when pytest ends."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.host.progress import Tell
from harness.planning import find_catalogue
from harness.results import Runner

if TYPE_CHECKING:
    from harness.lab_spec import LabOptions

_RUNNER = pytest.StashKey[Runner]()


def runner_of(config: pytest.Config) -> Runner:
    """The one runner of this session."""
    if _RUNNER not in config.stash:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        made: AbstractContextManager[Runner] = config.hook.pytest_revert_safety_runner(
            config=config, tell=tell
        )
        config.stash[_RUNNER] = stack.enter_context(made)
    return config.stash[_RUNNER]


@pytest.hookimpl(trylast=True)
def pytest_revert_safety_runner(config: pytest.Config, tell: Tell) -> AbstractContextManager[Runner]:
    """Run on real machines."""
    from harness.running import lab_runner  # noqa: PLC0415 - costs half a second, and collecting needs none of it

    return lab_runner(lab_options(config), tell)


def lab_options(config: pytest.Config) -> LabOptions:
    """What the command line says of machines."""
    from harness.lab_spec import LabOptions  # noqa: PLC0415 - as above

    option = config.getoption
    return LabOptions(
        catalogue=catalogue_of(config, config.rootpath),
        runs=option("--harness-runs"),
        cache=option("--harness-cache"),
        mirror=option("--harness-mirror"),
        snapshot=option("--harness-snapshot"),
        snapshot_base=option("--harness-snapshot-base"),
        accelerator=option("--harness-accelerator"),
        one_thread=is_beside_others(config),
        qemu=option("--harness-qemu"),
    )


def is_beside_others(config: pytest.Config) -> bool:
    """Whether pytest-xdist has other workers (each has a `workerinput`), with machines beside ours."""
    given: dict[str, int] = getattr(config, "workerinput", {})
    return given.get("workercount", 1) > 1


def catalogue_of(config: pytest.Config, near: Path) -> Path:
    """The catalogue that was named, or the one of the project that `near` lies in."""
    named: Path | None = config.getoption("--harness-catalogue")
    return named or find_catalogue(near)


def tell(line: str) -> None:
    """Progress goes to stderr, which pytest shows with a failure, or at once under `-s`."""
    print(line, file=sys.stderr, flush=True)
