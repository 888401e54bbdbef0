# SPDX-License-Identifier: GPL-3.0-only
"""What does not fit its type is refused, with the path to the place."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model import codec
from harness.model.codec import Undecodable, decode, loads
from harness.model.event import Event, FingerprintUsed
from harness.model.occurrence import Occurrence
from harness.model.wire import Heard, Said

OCCURRENCE: Any = Occurrence
Count = NewType("Count", int)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Leaf:
    number: Count
    word: str = "none"


@dataclass(frozen=True, slots=True)
class Other:
    yes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    colour: Colour
    weight: float = 0.0
    leaf: Leaf | None = None
    either: Leaf | Other = Other(True)
    leaves: tuple[Leaf, ...] = ()
    words: tuple[str, ...] = ()
    pair: tuple[int, str] = (0, "")
    by_name: Mapping[str, Leaf] = field(default_factory=dict)
    loose: int | str | None = None


def test_what_was_encoded_is_decoded() -> None:
    tree = Tree(
        colour=Colour.BLUE,
        weight=1.5,
        leaf=Leaf(Count(1), "one"),
        either=Leaf(Count(2)),
        leaves=(Leaf(Count(3)), Leaf(Count(4))),
        words=("a", "b"),
        pair=(5, "c"),
        by_name={"x": Leaf(Count(6))},
        loose="d",
    )
    assert loads(Tree, codec.dumps(tree)) == tree


def test_what_is_absent_has_its_default_and_what_is_not_known_is_ignored() -> None:
    assert decode(Tree, {"colour": "red", "newer": [1]}) == Tree(colour=Colour.RED)


def test_a_whole_number_will_do_for_a_fraction() -> None:
    weight = decode(Tree, {"colour": "red", "weight": 3}).weight
    assert (weight, type(weight)) == (3.0, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "green"}, "$.colour: 'green' is not one of red, blue"),
        ({"colour": 1}, "$.colour: 1 is not one of red, blue"),
        ({"colour": ["red"]}, "$.colour: ['red'] is not one of red, blue"),
        ({"weight": True}, "$.weight: expected float, found bool"),
        ({"weight": "1"}, "$.weight: expected float, found str"),
        ({"weight": 10**400}, "$.weight: expected float, found int"),
        ({"leaf": 1}, "$.leaf: found int, which fits no alternative"),
        ({"leaf": {"number": 1}}, "$.leaf.type: None is not one of leaf"),
        ({"leaf": {"type": "other", "number": 1}}, "$.leaf.type: 'other' is not one of leaf"),
        ({"leaf": {"type": [], "number": 1}}, "$.leaf.type: [] is not one of leaf"),
        ({"leaf": {"type": "leaf"}}, "$.leaf: 'number' is missing"),
        ({"leaf": {"type": "leaf", "number": True}}, "$.leaf.number: expected int, found bool"),
        ({"leaf": {"type": "leaf", "number": 1.0}}, "$.leaf.number: expected int, found float"),
        ({"leaf": {"type": "leaf", "number": 1, "word": None}}, "$.leaf.word: expected str, found nothing"),
        ({"either": None}, "$.either: found nothing, which fits no alternative"),
        ({"either": {"type": "tree"}}, "$.either.type: 'tree' is not one of leaf, other"),
        ({"either": {"type": "other", "yes": 1}}, "$.either.yes: expected bool, found int"),
        ({"leaves": {}}, "$.leaves: expected a list, found dict"),
        ({"leaves": [{"number": 1}, {"number": "x"}]}, "$.leaves[1].number: expected int, found str"),
        ({"leaves": [{"number": 1, "type": "other"}]}, "$.leaves[0].type: expected 'leaf', found 'other'"),
        ({"leaves": [{"number": 1, "type": None}]}, "$.leaves[0].type: expected 'leaf', found None"),
        ({"leaves": [7]}, "$.leaves[0]: expected leaf, found int"),
        ({"words": ["a", 1]}, "$.words[1]: expected str, found int"),
        ({"words": "ab"}, "$.words: expected a list, found str"),
        ({"pair": [1]}, "$.pair: expected 2 items, found 1"),
        ({"pair": ["x", 1]}, "$.pair[0]: expected int, found str"),
        ({"pair": [1, 1]}, "$.pair[1]: expected str, found int"),
        ({"pair": None}, "$.pair: expected a list, found nothing"),
        ({"by_name": []}, "$.by_name: expected a mapping, found list"),
        ({"by_name": {"x": {"number": 1}, "y": {}}}, "$.by_name.y: 'number' is missing"),
        ({"loose": 1.5}, "$.loose: found float, which fits no alternative"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(Undecodable) as refused:
        decode(Tree, {"colour": "red", **change})
    assert str(refused.value) == message


def test_the_path_begins_where_one_says() -> None:
    with pytest.raises(Undecodable, match=r"^\$\.event\.number: expected int"):
        decode(Leaf, {"number": "x"}, "$.event")


@pytest.mark.parametrize("text", ["", "{", "nul", "[" * 100_000, b"\xff"])
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(Undecodable, match="not JSON"):
        loads(Tree, text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([Said, Heard, Event, Occurrence, Tree]), json_values)
def test_garbage_is_refused_and_nothing_else_happens(kind: Any, data: Any) -> None:
    with contextlib.suppress(Undecodable):
        decode(kind, data)


@settings(max_examples=100, deadline=None)
@given(st.from_type(OCCURRENCE))
def test_any_occurrence_survives_the_codec(occurrence: Any) -> None:
    assert loads(Occurrence, codec.dumps(occurrence)) == occurrence


@settings(max_examples=60, deadline=None)
@given(st.from_type(FingerprintUsed))
def test_any_fingerprint_survives_the_codec(used: FingerprintUsed) -> None:
    assert loads(Event, codec.dumps(used)) == used
