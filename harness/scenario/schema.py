# SPDX-License-Identifier: GPL-3.0-only
"""JSON schemas for editors, made from the shapes that the decoder reads by."""

from __future__ import annotations

from harness.scenario import catalogue, decode, gate, matrix
from harness.scenario.shapes import Schema
from harness.scenario.steps import StepOf, step_schema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Schema:
    """The schema of a scenario file."""
    steps = {of.definition: step_schema(of) for of in StepOf}
    return {"$schema": _DIALECT, "title": "a scenario", **decode.DOCUMENT.schema(), "$defs": steps}


def catalogue_schema() -> Schema:
    """The schema of a catalogue file."""
    return {"$schema": _DIALECT, "title": "a catalogue", **catalogue.DOCUMENT.schema()}


def gate_schema() -> Schema:
    """The schema of a gate file."""
    return {"$schema": _DIALECT, "title": "a gate", **gate.DOCUMENT.schema()}


def matrix_schema() -> Schema:
    """The schema of a matrix file."""
    return {"$schema": _DIALECT, "title": "a matrix", **matrix.DOCUMENT.schema()}
