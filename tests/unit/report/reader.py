# SPDX-License-Identifier: GPL-3.0-only
"""Reads a page back with the standard library's parser, which trusts nothing that we believe of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(("meta", "br"))


@dataclass(slots=True)
class Node:
    """An element; `content` is its texts and its elements, in order."""

    tag: str
    attributes: dict[str, str]
    content: list[Node | str] = field(default_factory=list)

    def all(self, tag: str = "") -> Iterator[Node]:
        """This element and those inside it, in the order of the page."""
        if tag in ("", self.tag):
            yield self
        for inner in self.content:
            if isinstance(inner, Node):
                yield from inner.all(tag)

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.content)

    def one(self, name: str) -> Node:
        """The only element with an id."""
        (found,) = (node for node in self.all() if node.attributes.get("id") == name)
        return found

    def of_class(self, name: str) -> list[Node]:
        return [node for node in self.all() if name in node.attributes.get("class", "").split()]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].content.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].content.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> ends <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].content.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def read(page: str) -> Node:
    """The page's root; every element is closed where it was opened."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.root


def structure(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every element's tag and the names of its attributes: what no text may change."""
    return [(node.tag, tuple(node.attributes)) for node in read(page).all()]
