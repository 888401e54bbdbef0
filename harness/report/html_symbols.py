# SPDX-License-Identifier: GPL-3.0-only
"""The signs of a strip, drawn once for the whole page, and what they mean."""

from __future__ import annotations

from harness.report.markup import Content, Markup, element, empty, joined
from harness.report.strip import Shape

_PATHS = {
    Shape.WRITTEN: "M-4-4h8v8h-8z",
    Shape.DELETED: "M-4-4h8v8h-8zM-4-4l8 8M4-4l-8 8",
    Shape.LOADED: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    Shape.STARTED: "M-4-7l10 7-10 7z",
    Shape.READY: "M-1 7v-15h9l-3 4 3 4h-7v7z",
    Shape.ENDED: "M-4-4h8v8h-8z",
    Shape.FAILED: "M-6-6l12 12M6-6l-12 12",
    Shape.LOOKED: "M-7 0q7-9 14 0q-7 9-14 0zM-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z",
    Shape.UNKNOWN: "M-3-3q0-4 3.500-4t3.500 3.500q0 2.500-3 4v2M.3 6v1.500",
    Shape.MACHINE: "M0-6l5 6-5 6-5-6z",
    Shape.TROUBLE: "M0-7l8 14h-16zM0-2v4.500M0 4.500v1",
}
_LINES = (Shape.DELETED, Shape.ENDED, Shape.FAILED, Shape.LOOKED, Shape.UNKNOWN, Shape.TROUBLE)

_MEANINGS = {
    Shape.WRITTEN: "policy written to disk",
    Shape.DELETED: "removed",
    Shape.LOADED: "AppArmor profile loaded into the kernel",
    Shape.STARTED: "service executed",
    Shape.READY: "snapd ready",
    Shape.ENDED: "unit ended",
    Shape.FAILED: "failed, or a check not passed",
    Shape.LOOKED: "look, or a check passed",
    Shape.UNKNOWN: "not seen or not read",
    Shape.MACHINE: "QEMU's event",
    Shape.TROUBLE: "trouble on the console",
}


def symbol_id(shape: Shape) -> str:
    """The id that a `use` names."""
    return f"sign-{shape}"


def definitions() -> Markup:
    """An invisible drawing that holds the signs, the arrows' heads and the fillings."""
    parts = [element("g", _sign(shape), id=symbol_id(shape)) for shape in Shape]
    parts += [_head("head", "head"), _head("head-broken", "head broken"), _fillings()]
    return element("svg", element("defs", *parts), class_="defs", aria_hidden="true", focusable="false")


def _sign(shape: Shape) -> Markup:
    line = " line" if shape in _LINES else ""
    thick = " thick" if shape == Shape.FAILED else ""
    return empty("path", d=_PATHS[shape], class_=f"sign{line}{thick}")


def _head(name: str, classes: str) -> Markup:
    path = empty("path", d="M0 0L8 4L0 8z", class_=classes)
    size = {"viewBox": "0 0 8 8", "refX": "8", "refY": "4", "markerWidth": "8", "markerHeight": "8"}
    return element("marker", path, id=name, orient="auto", markerUnits="userSpaceOnUse", **size)


def _fillings() -> Markup:
    size = {"width": "6", "height": "6", "patternUnits": "userSpaceOnUse"}
    thin = empty("path", d="M-1 7l8-8", class_="hatch")
    thick = empty("path", d="M-1 7l8-8", class_="hatch wrong")
    return joined(
        (element("pattern", thin, id="waits", **size), element("pattern", thick, id="wrong", **size))
    )


def legend(authors: dict[str, int]) -> Markup:
    """What the signs and colours of all strips mean."""
    items = [
        element("li", element("i", class_=f"a{n}"), f"snapd {name} and its policy")
        for name, n in authors.items()
    ]
    items += [element("li", _picture(shape), meaning) for shape, meaning in _MEANINGS.items()]
    arrow = _drawing(empty("line", class_="edge", x1="0", y1="8", x2="17", y2="8", marker_end="url(#head)"))
    wrong = _drawing(
        empty("line", class_="edge broken", x1="0", y1="8", x2="17", y2="8", marker_end="url(#head-broken)")
    )
    items.append(element("li", arrow, "from a policy's making to the start that used it"))
    items.append(element("li", wrong, "the same, and a finding says VIOLATED of it"))
    items.append(element("li", "pale: placed by the host's clock, approximately"))
    return element("ul", *items, class_="legend")


def _picture(shape: Shape) -> Markup:
    return _drawing(empty("use", href=f"#{symbol_id(shape)}", x="9", y="8", class_=shape.name))


def _drawing(content: Content) -> Markup:
    return element("svg", content, class_="sample", aria_hidden="true", focusable="false")
