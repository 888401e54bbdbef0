# SPDX-License-Identifier: GPL-3.0-only
"""HTML that cannot be broken by what is in it: every string is text until this module has escaped it."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass

from harness.report.layout import safe

LONGEST_TEXT = 2000
"""Characters of one text that a page shows; a guest can send megabytes in one line."""


@dataclass(frozen=True, slots=True)
class Markup:
    """Finished HTML; only `element`, `empty` and `joined` make it, and from escaped parts alone."""

    html: str


Content = str | Markup
Attribute = str | int | None


def element(name: str, /, *content: Content, **attributes: Attribute) -> Markup:
    """An element; `class_` is class, an underscore inside a name is a hyphen, None leaves one out."""
    inner = "".join(_escaped(part) for part in content)
    return Markup(f"<{name}{_attributes(attributes)}>{inner}</{name}>")


def empty(name: str, /, **attributes: Attribute) -> Markup:
    """An element without content: HTML's void ones, and any of SVG."""
    return Markup(f"<{name}{_attributes(attributes)}/>")


def joined(parts: Iterable[Content]) -> Markup:
    """The parts, one after the other."""
    return Markup("".join(_escaped(part) for part in parts))


def shown(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text as a page shows it: controls as ``\\xNN``, and cut with its length told when it is longer."""
    if len(text) <= longest:
        return safe(text)
    return f"{safe(text[:longest])} … ({len(text)} characters in all)"


def _escaped(part: Content) -> str:
    return part.html if isinstance(part, Markup) else html.escape(shown(part))


def _attributes(attributes: dict[str, Attribute]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(shown(str(value)))}"'
        for name, value in attributes.items()
        if value is not None
    )
