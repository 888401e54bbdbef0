# SPDX-License-Identifier: GPL-3.0-only
"""Which cuts there are, counted before any of them is looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cut.states import Choice, Epoch, chosen_epochs, cuts, epochs
from harness.cut.write_log import DISCARD, FLUSH, FUA, MARK, Entry
from harness.errors import Mistake
from harness.model.sweep import Cut

KINDS = {
    "w": (512, 0),
    "f": (0, FLUSH),
    "a": (512, FUA),
    "d": (512, DISCARD),
    "m": (0, MARK),
    "p": (512, FLUSH),
}


def log_of(letters: str) -> tuple[Entry, ...]:
    """w a write, f a flush, a FUA, d a discard, m a mark, p a write that flushes before."""
    kinds = (KINDS[letter] for letter in letters)
    return tuple(Entry(n, 512 * n, length, flags, 0) for n, (length, flags) in enumerate(kinds))


def states(letters: str, choice: Choice) -> list[str]:
    log = log_of(letters)
    found = cuts(log, chosen_epochs(epochs(log), choice), choice)
    return [
        str(cut).removeprefix("cut at flush ").replace(", write ", "-").removesuffix(" lost") for cut in found
    ]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("", []),
        ("f", [(0, 0)]),
        ("wwfwf", [(0, 2), (3, 4)]),
        ("wfw", [(0, 1), (2, 3)]),
        ("wfm", [(0, 1)]),
        ("wpwf", [(0, 1), (1, 3)]),
        ("ff", [(0, 0), (1, 1)]),
    ],
)
def test_epochs_end_at_flushes_and_at_the_end(letters: str, expected: list[tuple[int, int]]) -> None:
    assert epochs(log_of(letters)) == tuple(Epoch(n, *both) for n, both in enumerate(expected, 1))


@pytest.mark.parametrize(
    ("letters", "choice", "expected"),
    [
        ("wwfwf", Choice(), ["0", "1", "2", "1-0", "1-1", "2-3"]),
        ("wwfwf", Choice(drop_one=False), ["0", "1", "2"]),
        ("waf", Choice(), ["0", "1", "1-0"]),
        ("wmdf", Choice(), ["0", "1", "1-0", "1-2"]),
        ("wpf", Choice(), ["0", "1", "2", "1-0", "2-1"]),
        ("", Choice(), ["0"]),
        ("wfwfwfwf", Choice(points=2), ["0", "4", "4-6"]),
        ("wfwfwfwf", Choice(points=3, drop_one=False), ["0", "2", "4"]),
        ("wfwf", Choice(points=99, drop_one=False), ["0", "1", "2"]),
        ("wfwfwfwf", Choice(since=2, until=6, drop_one=False), ["1", "2", "3"]),
        ("wfwfwfwf", Choice(since=3, until=4), ["1", "2", "2-2"]),
        ("wfwfwfwf", Choice(since=8), ["4"]),
        ("wfwf", Choice(since=99), ["2"]),
    ],
)
def test_the_states_and_their_order(letters: str, choice: Choice, expected: list[str]) -> None:
    assert states(letters, choice) == expected


@pytest.mark.parametrize("wrong", [{"points": 1}, {"points": -3}, {"since": -1}, {"since": 5, "until": 4}])
def test_a_choice_of_nothing_is_a_mistake(wrong: dict[str, int]) -> None:
    with pytest.raises(Mistake, match="cannot sweep over"):
        Choice(**wrong)  # type: ignore[arg-type]


@given(st.text("wfadmp", max_size=40), st.none() | st.integers(2, 50))
def test_each_state_comes_once_and_loses_nothing_that_was_flushed(letters: str, points: int | None) -> None:
    log, choice = log_of(letters), Choice(points=points)
    all_epochs = epochs(log)
    chosen = chosen_epochs(all_epochs, choice)
    found = cuts(log, chosen, choice)
    assert len(set(found)) == len(found)
    assert {chosen[0].number, chosen[-1].number} == {0, len(all_epochs)}
    for cut in found:
        if cut.dropped is not None:
            epoch = all_epochs[cut.flush - 1]
            assert epoch.first <= cut.dropped < epoch.end
            assert log[cut.dropped].writes
            assert not log[cut.dropped].durable
    if points is None:
        assert len(found) == 1 + len(all_epochs) + sum(e.writes and not e.durable for e in log)
        assert Cut(len(all_epochs)) in found
