# SPDX-License-Identifier: GPL-3.0-only
"""The shapes that values in our YAML files have: each reads nodes and describes itself as JSON schema.

A shape's `read` gives None when it has noted a mistake; the caller goes on, so that all mistakes of a
file are told at once. `at` is what the value is called in messages, such as ``'image'``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from harness.model.spans import Span
from harness.scenario import durations
from harness.scenario.source import Items, Node, Problems, Scalar, Table, describe

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Schema = dict[str, Any]


class Shape(Protocol[T_co]):
    """Reads a node as a `T_co`, and knows its JSON schema."""

    def read(self, node: Node, at: str, problems: Problems) -> T_co | None:
        """The value, or None after noting a mistake."""
        ...

    def schema(self) -> Schema:
        """JSON schema of what `read` accepts."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """One text that is not empty; `what` says which, `pattern` must match all of it."""

    what: str
    pattern: str = ""

    def read(self, node: Node, at: str, problems: Problems) -> Scalar | None:
        """The scalar itself, because its span is wanted when the name is looked up."""
        if not isinstance(node, Scalar) or node.is_null or not node.text.strip():
            problems.add(node.span, f"{at} is {describe(node)}", expected=self.what)
            return None
        if self.pattern and re.fullmatch(self.pattern, node.text) is None:
            problems.add(node.span, f"{at} is {describe(node)}", expected=self.what)
            return None
        return node

    def schema(self) -> Schema:
        """A number is accepted too: to an editor, a version such as 2.49 is one."""
        schema: Schema = {"type": ["string", "number"], "description": self.what}
        if self.pattern:
            schema |= {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return schema


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; `what` names their kind."""

    what: str
    words: tuple[str, ...]

    def read(self, node: Node, at: str, problems: Problems) -> str | None:
        """The word."""
        if not isinstance(node, Scalar) or node.is_null:
            problems.add(node.span, f"{at} is {describe(node)}", expected=f"one of {', '.join(self.words)}")
            return None
        if node.text not in self.words:
            problems.unknown(node.span, self.what, node.text, self.words)
            return None
        return node.text

    def schema(self) -> Schema:
        """An enumeration."""
        return {"enum": list(self.words), "description": self.what}


@dataclass(frozen=True, slots=True)
class Switch:
    """`true` or `false`."""

    def read(self, node: Node, at: str, problems: Problems) -> bool | None:
        """The truth value."""
        if isinstance(node, Scalar) and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        problems.add(node.span, f"{at} is {describe(node)}", expected="true or false")
        return None

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration with its unit."""

    def read(self, node: Node, at: str, problems: Problems) -> float | None:
        """Seconds."""
        if not isinstance(node, Scalar) or node.is_null:
            problems.add(node.span, f"{at} is {describe(node)}", expected=durations.EXPECTED)
            return None
        try:
            return durations.parse(node.text)
        except ValueError as error:
            problems.add(node.span, f"{at}: {error}", expected=durations.EXPECTED)
            return None

    def schema(self) -> Schema:
        """A text with a number and a unit."""
        return {"type": "string", "pattern": durations.PATTERN, "description": durations.EXPECTED}


@dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """A list; one with fewer than `at_least` items is a mistake, for which `because` is the reason."""

    item: Shape[T]
    at_least: int = 0
    because: str = ""

    def read(self, node: Node, at: str, problems: Problems) -> tuple[T, ...] | None:
        """The items that could be read; None when there is no list, or too short a one."""
        if not isinstance(node, Items):
            problems.add(node.span, f"{at} is {describe(node)}", expected="a list (items begin with '- ')")
            return None
        if len(node.nodes) < self.at_least:
            problems.add(node.span, f"{at} is empty", expected="at least one item", hint=self.because)
            return None
        read = (self.item.read(child, f"an item of {at}", problems) for child in node.nodes)
        return tuple(value for value in read if value is not None)

    def schema(self) -> Schema:
        """An array."""
        return {"type": "array", "items": self.item.schema(), "minItems": self.at_least}


@dataclass(frozen=True, slots=True)
class OneOrMore(ListOf[T]):
    """One item, or a list of them."""

    def read(self, node: Node, at: str, problems: Problems) -> tuple[T, ...] | None:
        """The items that could be read."""
        if isinstance(node, Items):
            return ListOf.read(self, node, at, problems)
        item = self.item.read(node, at, problems)
        return None if item is None else (item,)

    def schema(self) -> Schema:
        """Either."""
        return {"anyOf": [self.item.schema(), ListOf.schema(self)]}


@dataclass(frozen=True, slots=True)
class MapOf(Generic[T]):
    """A mapping from names of the author's choice, such as a catalogue's versions."""

    key: Text
    value: Shape[T]
    at_least: int = 0

    def read(self, node: Node, at: str, problems: Problems) -> tuple[tuple[Scalar, T], ...] | None:
        """The pairs that could be read, in the order of the file."""
        if not isinstance(node, Table):
            problems.add(node.span, f"{at} is {describe(node)}", expected=f"a mapping from {self.key.what}")
            return None
        if len(node.entries) < self.at_least:
            problems.add(node.span, f"{at} is empty", expected="at least one entry")
            return None
        pairs = []
        for name, child in node.entries:
            key = self.key.read(name, f"the key {name.text!r}", problems)
            value = self.value.read(child, f"{name.text!r}", problems)
            if key is not None and value is not None:
                pairs.append((key, value))
        return tuple(pairs)

    def schema(self) -> Schema:
        """An object with any keys."""
        return {
            "type": "object",
            "additionalProperties": self.value.schema(),
            "minProperties": self.at_least,
        }


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a record."""

    shape: Shape[Any]
    summary: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """A record as read: the values of the keys that were given and right, and where it stands."""

    span: Span
    values: Mapping[str, Any]
    whole: bool

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, or `default`."""
        return self.values.get(key, default)


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys; `what` is what it is called when a key is not known."""

    what: str
    fields: Mapping[str, Field]

    def read(self, node: Node, at: str, problems: Problems) -> Filled | None:
        """The record when all of it is right."""
        filled = self.fill(node, at, problems)
        return filled if filled is not None and filled.whole else None

    def fill(self, node: Node, at: str, problems: Problems) -> Filled | None:
        """The record with those values that are right; None when there is no mapping."""
        if not isinstance(node, Table):
            expected = f"a mapping with {', '.join(self.fields)}" if self.fields else "a mapping"
            problems.add(node.span, f"{at} is {describe(node)}", expected=expected)
            return None
        before = len(problems.found)
        values = {}
        for key, child in node.entries:
            if key.text not in self.fields:
                problems.unknown(key.span, f"key in {self.what}", key.text, self.fields)
                continue
            value = self.fields[key.text].shape.read(child, f"'{key.text}'", problems)
            if value is not None:
                values[key.text] = value
        self._note_missing(node, problems)
        return Filled(node.span, values, whole=len(problems.found) == before)

    def _note_missing(self, node: Table, problems: Problems) -> None:
        for key, field in self.fields.items():
            if field.required and node.get(key) is None:
                problems.add(node.span, f"{self.what} lacks '{key}'", expected=field.summary)

    def schema(self) -> Schema:
        """An object with exactly these keys."""
        properties = {
            key: field.shape.schema() | ({"description": field.summary} if field.summary else {})
            for key, field in self.fields.items()
        }
        required = [key for key, field in self.fields.items() if field.required]
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Made(Generic[T]):
    """Another shape's value, turned into what the model calls it."""

    shape: Shape[Any]
    make: Callable[[Any], T]

    def read(self, node: Node, at: str, problems: Problems) -> T | None:
        """What `make` makes of the value."""
        value = self.shape.read(node, at, problems)
        return None if value is None else self.make(value)

    def schema(self) -> Schema:
        """The other shape's."""
        return self.shape.schema()
