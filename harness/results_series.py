# SPDX-License-Identifier: GPL-3.0-only
"""What the repetitions of one plan come to, and when there have been enough. None is ever done again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.model.rate import Rate, needed, percent
from harness.model.repeat import Repeat, Stop
from harness.results import Came


def rate_of(came: Sequence[Came]) -> Rate:
    """How many are VIOLATED of those that were proven to be so or not."""
    count = Counter(came)
    return Rate(count[Came.VIOLATED], count[Came.VIOLATED] + count[Came.HELD])


def enough(repeat: Repeat, came: Sequence[Came]) -> str:
    """Why no further repetition is needed, or an empty text."""
    rate = rate_of(came)
    if came and came[-1] is Came.MISTAKE:
        return "a mistake would come to light again in each"
    if repeat.stop is Stop.VIOLATED and rate.count:
        return "ended at the first that is VIOLATED"
    if repeat.until and not rate.count and rate.of >= needed(repeat.until):
        return f"ended because the rate is shown to be below {percent(repeat.until)}"
    return ""


def told(repeat: Repeat, came: Sequence[Came]) -> Iterator[str]:
    """The rate in words, with what is apart from it, line by line."""
    count = Counter(came)
    counted, _, bound = str(rate_of(came)).partition(": ")
    yield f"{counted} VIOLATED: {bound}"
    if count[Came.UNPROVEN]:
        yield f"{count[Came.UNPROVEN]} UNPROVEN, which are not in that rate"
    failed = count[Came.ERROR] + count[Came.MISTAKE]
    if failed:
        yield f"{failed} could not be measured, which are not in that rate and were not done again"
    reason = enough(repeat, came)
    yield f"{len(came)} of {repeat.times} repetitions, seed {repeat.seed}" + (f"; {reason}" if reason else "")
