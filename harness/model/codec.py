# SPDX-License-Identifier: GPL-3.0-only
"""Frozen dataclasses to JSON and back, by their type hints.

A member of a union of dataclasses carries its class in `type` (``StepBegan`` -> ``"step-began"``). Decoding
checks everything, because a record may be torn and a witness may lie: what does not fit raises Undecodable
with the path to it. Unknown keys are ignored, so that an older judge reads a newer record's additions.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]


class Undecodable(ValueError):
    """Data does not fit its type; the message starts with the path to the place."""


def tag_of(cls: type) -> str:
    """The word for a class in `type`: ``RunOpened`` -> ``run-opened``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()


def encode(value: object) -> JSON:
    """Turn a dataclass into JSON data; every dataclass carries its `type`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": tag_of(type(value)), **fields}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"cannot encode {type(value).__name__}")


def dumps(value: object) -> str:
    """One line of JSON, the same bytes for the same value on every machine."""
    return json.dumps(encode(value), ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def decode(kind: Any, data: JSON, path: str = "$") -> Any:
    """Make a `kind` (a dataclass, or a union of them) of JSON data; raises Undecodable."""
    return _decode(kind, data, path)


def loads(kind: Any, text: str | bytes) -> Any:
    """`decode` of JSON text; raises Undecodable for text that is not JSON too."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Undecodable(f"$: not JSON: {error}") from error
    return decode(kind, data)


def _decode(kind: Any, data: JSON, path: str) -> object:
    kind = getattr(kind, "__supertype__", kind)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(kind), data, path)
    if origin is tuple:
        return _decode_items(typing.get_args(kind), data, path)
    if origin is not None and issubclass(origin, Mapping):
        return _decode_mapping(typing.get_args(kind)[1], data, path)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(cast("type", kind), data, path)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _decode_enum(kind, data, path)
    return _decode_plain(kind, data, path)


def _decode_plain(kind: Any, data: JSON, path: str) -> object:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if kind in (str, int, float, bool) and type(data) is kind:
        return data
    if kind is type(None) and data is None:
        return None
    raise Undecodable(f"{path}: expected {getattr(kind, '__name__', kind)}, found {_name(data)}")


def _decode_enum(kind: type[StrEnum], data: JSON, path: str) -> StrEnum:
    for member in kind:
        if member.value == data:
            return member
    raise Undecodable(f"{path}: {data!r} is not one of {', '.join(kind)}")


def _decode_items(args: tuple[Any, ...], data: JSON, path: str) -> tuple[object, ...]:
    if not isinstance(data, list):
        raise Undecodable(f"{path}: expected a list, found {_name(data)}")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_decode(args[0], item, f"{path}[{i}]") for i, item in enumerate(data))
    if len(args) != len(data):
        raise Undecodable(f"{path}: expected {len(args)} items, found {len(data)}")
    return tuple(_decode(a, item, f"{path}[{i}]") for i, (a, item) in enumerate(zip(args, data, strict=True)))


def _decode_mapping(value: Any, data: JSON, path: str) -> dict[str, object]:
    if not isinstance(data, dict):
        raise Undecodable(f"{path}: expected a mapping, found {_name(data)}")
    return {key: _decode(value, item, f"{path}.{key}") for key, item in data.items()}


def _decode_union(members: tuple[Any, ...], data: JSON, path: str) -> object:
    if data is None and type(None) in members:
        return None
    classes = [m for m in members if dataclasses.is_dataclass(m)]
    if classes and isinstance(data, dict):
        by_tag = {tag_of(cast("type", m)): m for m in classes}
        tag = data.get("type")
        if isinstance(tag, str) and tag in by_tag:
            return _decode_dataclass(cast("type", by_tag[tag]), data, path)
        raise Undecodable(f"{path}.type: {tag!r} is not one of {', '.join(sorted(by_tag))}")
    for member in members:
        if member is not type(None) and not dataclasses.is_dataclass(member):
            try:
                return _decode(member, data, path)
            except Undecodable:
                continue
    raise Undecodable(f"{path}: found {_name(data)}, which fits no alternative")


def _decode_dataclass(kind: type, data: JSON, path: str) -> object:
    if not isinstance(data, dict):
        raise Undecodable(f"{path}: expected {tag_of(kind)}, found {_name(data)}")
    if "type" in data and data["type"] != tag_of(kind):
        raise Undecodable(f"{path}.type: expected {tag_of(kind)!r}, found {data['type']!r}")
    values = {}
    for field, hint, required in _fields(kind):
        if field in data:
            values[field] = _decode(hint, data[field], f"{path}.{field}")
        elif required:
            raise Undecodable(f"{path}: {field!r} is missing")
    return kind(**values)


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, Any, bool], ...]:
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return tuple(
        (f.name, hints[f.name], f.default is missing and f.default_factory is missing)
        for f in dataclasses.fields(cast("Any", kind))
    )


def _name(data: JSON) -> str:
    return "nothing" if data is None else type(data).__name__
