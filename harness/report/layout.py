# SPDX-License-Identifier: GPL-3.0-only
"""Lines for a terminal: cut to a width, coloured or not, with nothing that a guest could make it obey."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

WIDTH = 100

# Cc and Cf are controls and formats (among them those that turn the direction of writing), Cs lone
# surrogates, Zl and Zp line ends: a terminal obeys the first, and the others forge or break lines.
_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))

_COLOURS = {"HELD": "32", "UNPROVEN": "33", "VIOLATED": "31", "ERROR": "35"}


def safe(text: str) -> str:
    """The text with everything that a terminal could obey shown as ``\\xNN`` or ``\\uNNNN``."""
    return "".join(_escaped(c) if unicodedata.category(c) in _UNSAFE else c for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


@dataclass(frozen=True, slots=True)
class Page:
    """How lines are made: `colour` adds ECMA-48 colours to the words of outcomes."""

    colour: bool

    def line(self, text: str, *, indent: int = 0, hang: int = 2) -> Iterator[str]:
        """`text` as one or more lines that fit; those after the first hang by `hang` more columns."""
        first, rest = " " * indent, " " * (indent + hang)
        lines = textwrap.wrap(
            safe(text),
            WIDTH,
            initial_indent=first,
            subsequent_indent=rest,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        )
        yield from lines or [""]

    def headed(self, word: str, text: str, *, indent: int = 0) -> Iterator[str]:
        """A line that begins with an outcome's word, coloured by it."""
        hang = len(word) + 2
        first, *rest = self.line(f"{word}  {text}", indent=indent, hang=hang)
        yield first.replace(word, self.word(word), 1)
        yield from rest

    def word(self, word: str) -> str:
        """The word in its outcome's colour."""
        colour = _COLOURS.get(word, "1")
        return f"\x1b[{colour}m{word}\x1b[0m" if self.colour else word

    def title(self, text: str) -> Iterator[str]:
        """An empty line and a section's title."""
        yield ""
        yield f"\x1b[1m{safe(text)}\x1b[0m" if self.colour else safe(text)


def columns(cells: Iterable[tuple[str, int]]) -> str:
    """Cells padded to their widths, each cut with ``..`` when it is longer."""
    return "".join(_cell(safe(text), width) for text, width in cells).rstrip()


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each row, whose columns are as wide as their widest text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _cell(text: str, width: int) -> str:
    return f"{text[: width - 4]}..  " if len(text) > width - 2 else text.ljust(width)
