# SPDX-License-Identifier: GPL-3.0-only
"""YAML as nodes that know where they were written.

Values stay text: `2.50` is a version here, never the number 2.5, so the YAML 1.1 scalar types are not
resolved. Anchors and merge keys are refused because a mistake in them has two places.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from harness.errors import Mistake, Mistakes
from harness.model.spans import Problem, Span

_LARGEST_FILE = 1 << 20
_DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text; `plain` says that it was written without quotes."""

    span: Span
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """True for an empty value, `~` or `null` written without quotes."""
        return self.plain and self.text in ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    span: Span
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; keys are unique and in the order of the file."""

    span: Span
    entries: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        """The value of `key`, or None."""
        return next((node for name, node in self.entries if name.text == key), None)


Node = Scalar | Items | Table


@dataclass(slots=True)
class Problems:
    """Collects every mistake of a file so that all are told at once."""

    found: list[Problem] = field(default_factory=list)

    def add(self, span: Span, message: str, *, expected: str = "", hint: str = "") -> None:
        """Note one mistake."""
        self.found.append(Problem(span, message, expected, hint))

    def unknown(self, span: Span, what: str, name: str, known: Iterable[str]) -> None:
        """Note a name that is not among the `known` ones, with the nearest of them as a hint."""
        names = sorted(known)
        near = did_you_mean(name, names)
        hint = f"did you mean {near}?" if near else ""
        expected = f"one of {', '.join(names)}" if names else "none: there are no names yet"
        self.add(span, f"unknown {what} {name!r}", expected=expected, hint=hint)

    def raise_if_any(self) -> None:
        """Raise Mistakes with everything noted, in the order of the file."""
        if self.found:
            raise Mistakes(sorted(self.found, key=lambda problem: problem.span))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name nearest to `name`, or an empty string when none is near."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), "")


def describe(node: Node) -> str:
    """What a node is, for a message."""
    match node:
        case Scalar() if node.is_null:
            return "nothing"
        case Scalar():
            return f"{node.text!r}"
        case Items():
            return "a list"
        case Table():
            return "a mapping"


def load(path: Path, *, shown_as: str = "") -> Node:
    """Read one YAML document.

    `shown_as` is the file name used in messages (default: the path as given). Raises Mistake when
    the file cannot be read and Mistakes when it is not one YAML document.
    """
    name = shown_as or str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise Mistake(f"{name}: cannot read the file: {error.strerror}") from error
    if len(data) > _LARGEST_FILE:
        raise Mistake(f"{name}: the file is larger than {_LARGEST_FILE} bytes")
    return parse(data, name)


def parse(data: bytes, name: str) -> Node:
    """Turn the bytes of one YAML document into nodes; raises Mistakes as `load` does."""
    try:
        root = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _one(Span(name, line, 1), "the file is not UTF-8 text") from error
    except RecursionError as error:
        raise _one(Span(name, 1, 1), "values are nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        raise _one(_span(name, error.problem_mark), f"not valid YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        raise _one(Span(name, 1, 1), f"not valid YAML: {error.reason}") from error
    if root is None:
        raise _one(Span(name, 1, 1), "the file is empty")
    problems = Problems()
    node = _Converter(name, problems).convert(root, 0)
    problems.raise_if_any()
    return node


class _Converter:
    """PyYAML's graph of nodes to our tree."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._seen: set[int] = set()

    def convert(self, node: yaml.Node, depth: int) -> Node:
        span = _span(self._file, node.start_mark)
        if id(node) in self._seen:
            self._problems.add(span, "aliases (*name) are not supported", hint="write it out")
            return Scalar(span, "", plain=True)
        self._seen.add(id(node))
        if depth > _DEEPEST:
            self._problems.add(span, "values are nested too deeply")
            return Scalar(span, "", plain=True)
        match node:
            case yaml.ScalarNode():
                return Scalar(span, str(node.value), plain=node.style is None)
            case yaml.SequenceNode():
                return Items(span, tuple(self.convert(child, depth + 1) for child in node.value))
            case yaml.MappingNode():
                return Table(span, tuple(self._entries(node, depth)))
            case _:
                raise AssertionError(node)

    def _entries(self, node: yaml.MappingNode, depth: int) -> Iterator[tuple[Scalar, Node]]:
        first: dict[str, Span] = {}
        for key, value in node.value:
            span = _span(self._file, key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self._problems.add(span, "a key must be a plain word")
                continue
            name = Scalar(span, str(key.value), plain=key.style is None)
            if name.text in first:
                self._problems.add(span, f"{name.text!r} is given twice, first at {first[name.text]}")
                continue
            first[name.text] = span
            yield name, self.convert(value, depth + 1)


def _span(file: str, mark: yaml.Mark | None) -> Span:
    return Span(file, mark.line + 1, mark.column + 1) if mark else Span(file, 1, 1)


def _one(span: Span, message: str) -> Mistakes:
    return Mistakes([Problem(span, message)])
