# SPDX-License-Identifier: GPL-3.0-only
"""`harness fingerprint` on what takes none: what is told of each core, and the exit codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.fingerprint import take_all
from harness.cli.program import main
from harness.errors import CannotMeasure, HarnessError, Mistake
from harness.model.event import FingerprintUsed
from harness.model.plan import Plan, SnapRef
from harness.planning import plan_all
from tests.plugin.conftest import CATALOGUE, SCENARIO
from tests.unit.builders import NEW, OLD
from tests.unit.fingerprints import fingerprint, used

CORES = {core.name: core for core in (OLD, NEW)}
UNSTABLE = "snap.bluez.bluez: seccomp is not stable: one boot had 1, the next 2"


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "catalogue.yaml").write_text(CATALOGUE)
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO)
    return file


def taking(**instead: HarnessError | str) -> Callable[[Plan, SnapRef], FingerprintUsed]:
    """Takes what is asked for, but of the `old` or `new` core: an error instead, or one with a refusal."""

    def take(_: Plan, core: SnapRef) -> FingerprintUsed:
        trouble = instead.get("old" if core.entry == OLD.name else "new", "")
        if isinstance(trouble, HarnessError):
            raise trouble
        return used(replace(fingerprint(CORES[core.entry]), refused=(trouble,) if trouble else ()))

    return take


def test_every_core_of_the_scenario_is_taken(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert take_all(plan_all([scenario]), taking()) == 0
    lines = capsys.readouterr().out.splitlines()
    kept = "(seccomp of 2 services, AppArmor of 2): fingerprints/"
    assert lines == [
        f"core {core.name} of s has its fingerprint {kept}{used(fingerprint(core)).key}"
        for core in (OLD, NEW)
    ]


def test_what_is_refused_is_told_and_is_no_success(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert take_all(plan_all([scenario]), taking(old=UNSTABLE)) == 2
    told = capsys.readouterr()
    assert told.err == f"harness: core 2.57.6 of s: refused: {UNSTABLE}\n"
    assert len(told.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("error", "code"), [(CannotMeasure("the guest panicked"), 3), (Mistake("no such core"), 64)]
)
def test_one_that_cannot_be_taken_does_not_keep_the_next_from_it(
    scenario: Path, error: HarnessError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert take_all(plan_all([scenario]), taking(old=error, new=UNSTABLE)) == code
    told = capsys.readouterr()
    assert f"harness: core 2.57.6 of s: {error.message}" in told.err
    assert "core 2.68.3 of s has its fingerprint" in told.out


def test_a_mistake_in_the_scenario_starts_nothing(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario.write_text(SCENARIO.replace("image: guest", "image: gust"))
    cache = scenario.with_name("cache")
    assert main(["fingerprint", str(scenario), "--cache", str(cache)]) == 64
    assert "s.yaml:2:8: " in capsys.readouterr().err
    assert not cache.exists()


def test_a_core_older_than_the_images_deb_is_a_mistake_with_its_place(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image's snapd would not go over into it, alone or otherwise."""
    catalogue = CATALOGUE.replace("{recipe: recipes/guest.yaml}", '{recipe: recipes/guest.yaml, deb: "2.60"}')
    (scenario.parent / "images" / "catalogue.yaml").write_text(catalogue)
    assert main(["fingerprint", str(scenario)]) == 64
    assert "does not re-execute into a core older than the image's deb (2.60)" in capsys.readouterr().err
