# SPDX-License-Identifier: GPL-3.0-only
"""A catalogue, and a scenario to make mistakes in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import Mistakes
from harness.model.catalogue import Catalogue
from harness.model.plan import Plan
from harness.scenario.catalogue import load_catalogue
from harness.scenario.compile import load_plans

ROOT = Path(__file__).parents[3]
GOOD = """\
summary: a core is refreshed and reverted
image: trixie-snapd-2.57.6
start:
  core: "2.57.6"
  snaps: [network-manager, witness]
steps:
  - refresh: {core: "2.68.3"}
  - reboot: clean
  - revert: core
hold:
  - policy-from-running-snapd
"""


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(ROOT / "tests/golden/catalogue.yaml")


@pytest.fixture
def good() -> str:
    return GOOD


@pytest.fixture
def plans(tmp_path: Path, catalogue: Catalogue) -> Callable[[str], tuple[Plan, ...]]:
    """Compile a text."""

    def compile_text(text: str) -> tuple[Plan, ...]:
        file = tmp_path / "s.yaml"
        file.write_text(text)
        return load_plans(file, catalogue)

    return compile_text


@pytest.fixture
def plan_of_steps(plans: Callable[[str], tuple[Plan, ...]]) -> Callable[[str], Plan]:
    """Compile steps (lines of YAML) in the place of the good scenario's."""

    def compile_steps(steps: str) -> Plan:
        head, _, rest = GOOD.partition("steps:\n")
        return plans(f"{head}steps:\n{steps}\nhold:{rest.partition('hold:')[2]}")[0]

    return compile_steps


@pytest.fixture
def mistakes(tmp_path: Path, plans: Callable[[str], tuple[Plan, ...]]) -> Callable[[str], list[str]]:
    """What is wrong with a text, as the user is told, without the directory."""

    def told(text: str) -> list[str]:
        with pytest.raises(Mistakes) as caught:
            plans(text)
        assert caught.value.exit_code == 64
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return told
