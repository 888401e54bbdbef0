# SPDX-License-Identifier: GPL-3.0-only
"""What a lab refuses before it starts a machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import Mistake
from harness.image.build import Image
from harness.image.workshop import Workshop
from harness.lab_prepared import Prepared, prepare
from harness.model.catalogue import Catalogue
from harness.model.plan import HoldUnit, Plan, PlannedStep
from harness.scenario.catalogue import load_catalogue
from tests.unit.builders import fresh_revert

CATALOGUE = Path(__file__).parents[1] / "golden/catalogue.yaml"
HOLD = PlannedStep("9", "hold", HoldUnit(1, "snapd.service"), 1.0)


@pytest.fixture
def catalogue() -> Catalogue:
    return load_catalogue(CATALOGUE)


def prepared(
    steps: tuple[PlannedStep, ...], catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, *, ours: bool
) -> Prepared:
    here = Path("nowhere")
    image = Image("mine", "key", here, here, here, "/dev/vda1", "", here, our_initrd=ours)
    monkeypatch.setattr("harness.lab_prepared.build_image", lambda *_: image)
    monkeypatch.setattr("harness.lab_prepared.build_payload", lambda *_: here)
    plan: Plan = replace(fresh_revert().plan(), image=next(iter(catalogue.images)), snaps=(), steps=steps)
    workshop: Workshop = None  # type: ignore[assignment]
    return prepare(plan, catalogue, workshop)


def test_an_initrd_that_reads_no_orders_cannot_hold(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Mistake, match=r"cannot hold snapd.service: the image 'mine' boots with") as caught:
        prepared((HOLD,), catalogue, monkeypatch, ours=False)
    assert "`kernel:` and `init:`" in caught.value.hint


def test_it_is_as_good_as_ours_where_nothing_is_held(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not prepared((), catalogue, monkeypatch, ours=False).orders
    assert prepared((HOLD,), catalogue, monkeypatch, ours=True).orders
