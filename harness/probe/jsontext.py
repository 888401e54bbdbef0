# SPDX-License-Identifier: GPL-3.0-only
"""Writes JSON without the `json` package, which takes regular expressions and more along.

To import those costs an emulated guest as much CPU time as all that is written before its services start.
"""

from __future__ import annotations

from .wire import TYPE_CHECKING

try:
    from _json import encode_basestring_ascii as quoted
except ImportError:
    from json.encoder import encode_basestring_ascii as quoted

if TYPE_CHECKING:
    from typing import Any

_WORDS = {None: "null", True: "true", False: "false"}


def written(value: Any) -> str:
    """A value of dicts, lists, tuples, strings, whole numbers and floats, truths and None, in ASCII.

    Raises TypeError for any other.
    """
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is bool or value is None:
        return _WORDS[value]
    if kind is int or kind is float:
        return repr(value)
    if kind is dict:
        return "{" + ",".join([f"{quoted(key)}:{written(one)}" for key, one in value.items()]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([written(one) for one in value]) + "]"
    raise TypeError(f"no JSON for {kind.__name__}")
