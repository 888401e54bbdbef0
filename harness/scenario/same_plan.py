# SPDX-License-Identifier: GPL-3.0-only
"""Whether two plans do the same: where in a file something is written makes no other plan.

Nor does a sweep's budget, which says how long one call may take and nothing of what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from harness.model.codec import JSON, encode, tag_of
from harness.model.plan import Plan
from harness.model.spans import Span
from harness.model.sweep import PlannedSweep

_SPAN, _SWEEP = tag_of(Span), tag_of(PlannedSweep)


def is_same(one: Plan, other: Plan) -> bool:
    """True when either could be carried out in place of the other."""
    return not any(differences(one, other))


def differences(one: Plan, other: Plan) -> Iterator[str]:
    """The names of the plan's fields in which they are not the same."""
    for each in fields(Plan):
        if each.name != "file":
            mine, others = (_done(encode(getattr(plan, each.name))) for plan in (one, other))
            if mine != others:
                yield each.name


def _done(data: JSON) -> JSON:
    """Encoded data without what does not matter."""
    if isinstance(data, list):
        return [_done(each) for each in data]
    if not isinstance(data, dict):
        return data
    kind = data.get("type")
    left_out = "budget" if kind == _SWEEP else ""
    return None if kind == _SPAN else {key: _done(value) for key, value in data.items() if key != left_out}
