# SPDX-License-Identifier: GPL-3.0-only
"""The JSON schema is made of the decoder's own tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from harness.model.invariants import INVARIANTS
from harness.scenario.decode import DOCUMENT
from harness.scenario.schema import catalogue_schema, gate_schema, matrix_schema, schema
from harness.scenario.steps import STEP_KINDS


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


def test_it_is_json() -> None:
    assert json.loads(json.dumps(schema())) == schema()
    assert json.loads(json.dumps(catalogue_schema())) == catalogue_schema()
    assert json.loads(json.dumps(gate_schema())) == gate_schema()
    assert json.loads(json.dumps(matrix_schema())) == matrix_schema()


def test_the_document() -> None:
    made = schema()
    assert set(made["properties"]) == set(DOCUMENT.fields)
    assert made["required"] == ["summary", "image", "start", "steps", "hold"]
    assert made["additionalProperties"] is False


def test_every_step_and_every_change() -> None:
    made = schema()["$defs"]
    words = {kind.word for kind in STEP_KINDS}
    assert {each["required"][0] for each in made["step"]["oneOf"]} == words
    assert {each["required"][0] for each in made["change"]["oneOf"]} == {
        "install", "refresh", "revert", "remove",
    }  # fmt: skip


def test_every_invariant_alone_or_with_parameters() -> None:
    alone, *others = schema()["properties"]["hold"]["items"]["anyOf"]
    assert set(alone["enum"]) == set(INVARIANTS)
    with_parameters = {name: each["properties"][name] for each in others for name in each["properties"]}
    assert {name: set(each["properties"]) for name, each in with_parameters.items()} == {
        name: set(spec.parameters) for name, spec in INVARIANTS.items() if spec.parameters
    }


def test_references_and_patterns_are_good() -> None:
    made = schema()
    for node in [*nodes(made), *nodes(catalogue_schema())]:
        if isinstance(node.get("$ref"), str):
            assert node["$ref"].removeprefix("#/$defs/") in made["$defs"]
        if isinstance(node.get("pattern"), str):
            re.compile(node["pattern"])
