# SPDX-License-Identifier: GPL-3.0-only
"""Shapes of amounts: whole numbers within bounds, sizes and days, each with its unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.scenario.shapes import Schema
from harness.scenario.source import Node, Problems, Scalar, describe

_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = rf"([0-9]{{1,9}}) ?({'|'.join(_UNITS)})"
_DAYS = r"([0-9]{1,4}) days?"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int
    most: int

    def read(self, node: Node, at: str, problems: Problems) -> int | None:
        """The number."""
        if isinstance(node, Scalar) and re.fullmatch(r"[0-9]{1,20}", node.text):
            number = int(node.text)
            if self.least <= number <= self.most:
                return number
        problems.add(node.span, f"{at} is {describe(node)}", expected=self._expected)
        return None

    @property
    def _expected(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def schema(self) -> Schema:
        """An integer."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Size:
    """A size from `least` to `most` bytes."""

    least: int
    most: int

    def read(self, node: Node, at: str, problems: Problems) -> int | None:
        """Bytes."""
        match = re.fullmatch(_SIZE, node.text.strip()) if isinstance(node, Scalar) else None
        size = int(match[1]) * _UNITS[match[2]] if match else -1
        if self.least <= size <= self.most:
            return size
        problems.add(node.span, f"{at} is {describe(node)}", expected=self._expected)
        return None

    @property
    def _expected(self) -> str:
        bounds = f"from {show_size(self.least)} to {show_size(self.most)}"
        return f"a size {bounds}, with its unit ({', '.join(_UNITS)})"

    def schema(self) -> Schema:
        """A text with a number and a unit."""
        return {"type": "string", "pattern": f"^{_SIZE}$", "description": self._expected}


@dataclass(frozen=True, slots=True)
class Days:
    """A number of days, at most `most`."""

    most: int

    def read(self, node: Node, at: str, problems: Problems) -> float | None:
        """Seconds."""
        match = re.fullmatch(_DAYS, node.text.strip()) if isinstance(node, Scalar) else None
        days = int(match[1]) if match else 0
        if 0 < days <= self.most:
            return days * 86400.0
        problems.add(node.span, f"{at} is {describe(node)}", expected=self._expected)
        return None

    @property
    def _expected(self) -> str:
        return f"1 to {self.most} days, such as 30 days"

    def schema(self) -> Schema:
        """A text with a number and a unit."""
        return {"type": "string", "pattern": f"^{_DAYS}$", "description": self._expected}


def show_size(size: int) -> str:
    """The size in the largest unit that gives a whole number, such as ``512 MiB``."""
    name, unit = max((pair for pair in _UNITS.items() if size % pair[1] == 0), key=lambda pair: pair[1])
    return f"{size // unit} {name}"
