# SPDX-License-Identifier: GPL-3.0-only
"""True fingerprints change no outcome, and false ones make no red run held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge import judge
from harness.model.fingerprint import Fingerprint
from harness.model.plan import PlannedInvariant
from harness.model.verdict import Outcome
from tests.unit.builders import NEW, NEWER, OLD, POLICY, SPAN, fresh_revert, key_put_back, stale_seccomp
from tests.unit.fingerprints import fingerprint, with_fingerprints

ALL = tuple(
    PlannedInvariant(name, {}, SPAN) for name in (POLICY, "one-policy-on-disk", "snapd-is-who-it-should-be")
)
FINGERPRINTS = tuple(fingerprint(core) for core in (OLD, NEW, NEWER))
MAKERS = {"held": fresh_revert, "control": key_put_back, "stale": stale_seccomp}


@pytest.mark.parametrize("name", sorted(MAKERS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_true_fingerprints_many_or_few_change_no_outcome(name: str, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.sampled_from(FINGERPRINTS), max_size=4))
    run = with_fingerprints(MAKERS[name](invariants=ALL), some).timeline()
    was, now = judge(MAKERS[name](invariants=ALL).timeline()), judge(run)
    assert [(f.boot, f.subject, f.kind, f.outcome, f.author, f.summary) for f in now.findings] == [
        (f.boot, f.subject, f.kind, f.outcome, f.author, f.summary) for f in was.findings
    ]


@pytest.mark.parametrize("name", ["control", "stale"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_false_fingerprints_make_no_red_run_held(name: str, data: st.DataObject) -> None:
    """Each says of its core what is true of the cores that are drawn."""

    def false(one: Fingerprint) -> Fingerprint:
        seccomp, apparmor = (data.draw(st.sampled_from(FINGERPRINTS)) for _ in range(2))
        return replace(one, seccomp=seccomp.seccomp, apparmor=apparmor.apparmor)

    some = [false(one) for one in FINGERPRINTS if data.draw(st.booleans())]
    run = with_fingerprints(MAKERS[name](invariants=ALL), some)
    assert judge(run.timeline()).outcome != Outcome.HELD


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(FINGERPRINTS))
def test_the_order_of_fingerprints_does_not_matter(order: list[Fingerprint]) -> None:
    def told(ones: Iterable[Fingerprint]) -> list[tuple[object, ...]]:
        found = judge(with_fingerprints(key_put_back(), ones).timeline()).findings
        return [(f.kind, f.boot, f.subject, f.outcome, f.author, f.summary, f.known_by) for f in found]

    assert told(order) == told(FINGERPRINTS)
