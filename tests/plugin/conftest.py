# SPDX-License-Identifier: GPL-3.0-only
"""A project with one scenario, and a runner behind the plugin's own hook that starts nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CATALOGUE = """\
images:
  guest: {recipe: recipes/guest.yaml}
cores:
  "2.57.6": {suite: bookworm, version: 2.57.6-1}
  "2.68.3": {suite: trixie, version: 2.68.3-1}
  "2.77.1": {suite: forky, version: 2.77.1-1}
"""

SCENARIO = """\
summary: core goes to another snapd and back
image: guest
start:
  core: "2.57.6"
steps:
  - refresh: {core: "2.68.3"}
  - reboot: clean
hold:
  - snapd-is-who-it-should-be
"""

FAKE = "from tests.plugin.fake_runner import pytest_revert_safety_runner"

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def project(pytester: pytest.Pytester) -> Callable[..., None]:
    """Write a project with a scenario file under each of the names."""

    def written(*names: str, text: str = SCENARIO) -> None:
        pytester.makefile(".yaml", **{"images/catalogue": CATALOGUE})
        pytester.makeconftest(FAKE)
        for name in names:
            path = pytester.path / "scenarios" / f"{name}.yaml"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text)

    (pytester.path / "images").mkdir()
    return written


@pytest.fixture
def run_pytest(pytester: pytest.Pytester) -> Run:
    """A real pytest with the plugin, whether or not it is installed as an entry point."""

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest("-p", "no:revert_safety", "-p", "harness.pytest_plugin", *arguments)

    return run
