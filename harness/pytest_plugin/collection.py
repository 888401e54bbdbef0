# SPDX-License-Identifier: GPL-3.0-only
"""Scenario files as collectors and their variants as items, by pytest's public API alone.

Measuring is an item's set-up and judging is its call: so pytest itself tells "could not measure" (an
error) from "measured, and it is wrong" (a failure), on the terminal and in JUnit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.host.signals import terminate_on_signals
from harness.model.catalogue import Catalogue
from harness.model.plan import Plan
from harness.planning import as_named_here, is_scenario, plans_of
from harness.pytest_plugin.longrepr import Disproved, disproved, not_measured, properties
from harness.pytest_plugin.runners import catalogue_of, runner_of
from harness.results import Came, RunResult, gate
from harness.scenario.catalogue import load_catalogue
from harness.scenario.perturb import repetitions

DIRECTORY = "scenarios"
_CATALOGUES = pytest.StashKey[dict[Path, Catalogue]]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take the YAML files below a directory called `scenarios`; a gate's scenarios are there themselves."""
    if file_path.suffix != ".yaml" or not is_scenario(file_path):
        return None
    if DIRECTORY in _directories(file_path, parent.config.rootpath):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


def _directories(file: Path, root: Path) -> tuple[str, ...]:
    """The directories above the file, from the root directory's own name on."""
    below = file.relative_to(root.parent) if file.is_relative_to(root.parent) else file
    return below.parent.parts


class ScenarioFile(pytest.File):
    """One scenario file; reading it starts nothing."""

    def collect(self) -> Iterator[ScenarioItem]:
        for plan in plans_of(as_named_here(self.path), _catalogue(self.config, self.path), {}):
            for each in repetitions(plan):
                yield ScenarioItem.from_parent(self, name=each.title, plan=each)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ARG002
        """A mistake in the file as `file:line:column: …`, without a traceback."""
        if isinstance(excinfo.value, HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)  # a collector takes no style


def _catalogue(config: pytest.Config, file: Path) -> Catalogue:
    path = catalogue_of(config, file)
    loaded = config.stash.setdefault(_CATALOGUES, {})
    if path not in loaded:
        loaded[path] = load_catalogue(path)
    return loaded[path]


class ScenarioItem(pytest.Item):
    """One variant of a scenario."""

    def __init__(self, *, plan: Plan, **others: Any) -> None:
        super().__init__(**others)
        self.plan = plan
        self._result: RunResult | None = None

    def setup(self) -> None:
        """Measure; fails when the harness or the host did, or when a mistake came to light."""
        result = self._measured()
        self.user_properties += properties(result)
        self._result = result if isinstance(result, RunResult) and not result.verdict.error else None
        if self._result is None:
            # pytest formats what set-up raises by itself, and leaves out the traceback of this alone.
            pytest.fail(not_measured(self.plan, result), pytrace=False)

    def _measured(self) -> RunResult | HarnessError:
        try:
            with terminate_on_signals():
                return runner_of(self.config)(self.plan)
        except HarnessError as error:
            return error

    def runtest(self) -> None:
        """Judge.

        :raise Disproved: it did not come out as it must.
        """
        assert self._result is not None, "pytest calls setup first"
        if gate(self._result.verdict) is not Came.HELD:
            raise Disproved(self._result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was found, where the scenario asks for it, and where the evidence lies."""
        if isinstance(excinfo.value, Disproved):
            return disproved(excinfo.value.result)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, 0, self.plan.title
