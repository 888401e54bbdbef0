# SPDX-License-Identifier: GPL-3.0-only
"""The deliberate faults of `python -m tests.faults` still fit the sources that they are put into."""

from __future__ import annotations

import ast

import pytest

from tests.faults.__main__ import FAULTS, ROOT
from tests.faults.fault import Fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.breaks)
def test_a_fault_applies_and_leaves_a_program(fault: Fault) -> None:
    whole = fault.source(ROOT).read_text()
    ast.parse(fault.applied(whole))
    assert fault.applied(whole) != whole
    assert all((ROOT / tests).exists() for tests in fault.tests)


def test_there_are_enough_of_them_and_each_is_one_of_its_kind() -> None:
    assert len(FAULTS) >= 40
    assert len({fault.breaks for fault in FAULTS}) == len(FAULTS)
