# SPDX-License-Identifier: GPL-3.0-only
"""Tables that become lists where there is no room: a cell's `data-name` then stands before it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.markup import Markup, element


def table(caption: str, names: Sequence[str], rows: Sequence[Markup]) -> Markup:
    """A table with named columns."""
    head = element("tr", *(element("th", name, scope="col") for name in names))
    return element(
        "table", element("caption", caption), element("thead", head), element("tbody", *rows), class_="stack"
    )
