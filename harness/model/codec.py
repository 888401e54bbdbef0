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
import sys
import types
import typing
from collections.abc import Callable, Mapping
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
    try:
        return _decoder(kind)(data)
    except _Misfit as misfit:
        raise Undecodable(f"{path}{misfit.place}: {misfit.what}") from None


def loads(kind: Any, text: str | bytes) -> Any:
    """`decode` of JSON text; raises Undecodable for text that is not JSON too."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Undecodable(f"$: not JSON: {error}") from error
    return decode(kind, data)


class _Misfit(Exception):
    """Data does not fit; `place` is the path to it below whoever catches this."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__()
        self.what = what
        self.place = place

    def below(self, step: str) -> _Misfit:
        """The same, told by whoever holds the place one step up."""
        return _Misfit(self.what, f"{step}{self.place}")


_ABSENT = object()

_Decoder = Callable[[Any], Any]

_LARGEST_WHOLE = int(sys.float_info.max)

# A record has millions of values and a few dozen types: what a type asks for is worked out once.


@functools.cache
def _decoder(kind: Any) -> _Decoder:
    kind = getattr(kind, "__supertype__", kind)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(typing.get_args(kind))
    if origin is tuple:
        return _items(typing.get_args(kind))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(typing.get_args(kind)[1])
    if dataclasses.is_dataclass(kind):
        return _dataclass(cast("type", kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum(kind)
    return _plain(kind)


def _plain(kind: Any) -> _Decoder:
    accepts_whole = kind is float

    def decode_plain(data: Any) -> Any:
        if type(data) is kind and kind in (str, int, float, bool):
            return data
        if accepts_whole and type(data) is int and abs(data) <= _LARGEST_WHOLE:
            return float(data)
        if data is None and kind is type(None):
            return None
        raise _Misfit(f"expected {getattr(kind, '__name__', kind)}, found {_name(data)}")

    return decode_plain


def _enum(kind: type[StrEnum]) -> _Decoder:
    members = {member.value: member for member in kind}

    def decode_enum(data: Any) -> StrEnum:
        member = members.get(data) if type(data) is str else None
        if member is None:
            raise _Misfit(f"{data!r} is not one of {', '.join(kind)}")
        return member

    return decode_enum


def _items(args: tuple[Any, ...]) -> _Decoder:
    if len(args) == 2 and args[1] is Ellipsis:
        return _list_of(_decoder(args[0]), _exact(args[0]))
    decoders = tuple(map(_decoder, args))

    def decode_items(data: Any) -> tuple[object, ...]:
        if not isinstance(data, list):
            raise _Misfit(f"expected a list, found {_name(data)}")
        if len(decoders) != len(data):
            raise _Misfit(f"expected {len(decoders)} items, found {len(data)}")
        return tuple(
            _item(decode_one, item, i)
            for i, (decode_one, item) in enumerate(zip(decoders, data, strict=True))
        )

    return decode_items


def _item(decode_one: _Decoder, item: Any, number: int) -> Any:
    try:
        return decode_one(item)
    except _Misfit as misfit:
        raise misfit.below(f"[{number}]") from None


def _list_of(decode_one: _Decoder, exact: Any) -> _Decoder:
    only = {exact}

    def decode_list(data: Any) -> tuple[object, ...]:
        if not isinstance(data, list):
            raise _Misfit(f"expected a list, found {_name(data)}")
        if set(map(type, data)) == only:
            return tuple(data)
        found: list[object] = []
        try:
            for item in data:
                found.append(decode_one(item))  # noqa: PERF401  (how many there are is where it failed)
        except _Misfit as misfit:
            raise misfit.below(f"[{len(found)}]") from None
        return tuple(found)

    return decode_list


def _mapping(value: Any) -> _Decoder:
    decode_one = _decoder(value)

    def decode_mapping(data: Any) -> dict[str, object]:
        if not isinstance(data, dict):
            raise _Misfit(f"expected a mapping, found {_name(data)}")
        found: dict[str, object] = {}
        key = ""
        try:
            for key, item in data.items():
                found[key] = decode_one(item)
        except _Misfit as misfit:
            raise misfit.below(f".{key}") from None
        return found

    return decode_mapping


def _union(members: tuple[Any, ...]) -> _Decoder:
    takes_none = type(None) in members
    classes = [cast("type", member) for member in members if dataclasses.is_dataclass(member)]
    by_tag = {tag_of(member): _filled(member) for member in classes}
    others = [_decoder(m) for m in members if m is not type(None) and not dataclasses.is_dataclass(m)]

    def decode_union(data: Any) -> Any:
        if data is None and takes_none:
            return None
        if by_tag and isinstance(data, dict):
            tag = data.get("type")
            chosen = by_tag.get(tag) if isinstance(tag, str) else None
            if chosen is None:
                raise _Misfit(f"{tag!r} is not one of {', '.join(sorted(by_tag))}", ".type")
            return chosen(data)
        for decode_one in others:
            try:
                return decode_one(data)
            except _Misfit:
                continue
        raise _Misfit(f"found {_name(data)}, which fits no alternative")

    return decode_union


def _dataclass(kind: type) -> _Decoder:
    tag = tag_of(kind)
    fill = _filled(kind)

    def decode_dataclass(data: Any) -> Any:
        if not isinstance(data, dict):
            raise _Misfit(f"expected {tag}, found {_name(data)}")
        if data.get("type", tag) != tag:
            raise _Misfit(f"expected {tag!r}, found {data['type']!r}", ".type")
        return fill(data)

    return decode_dataclass


@functools.cache
def _filled(kind: type) -> _Decoder:
    """What makes a dataclass of a mapping whose `type` fits."""
    fields = _fields(kind)

    def fill(data: Any) -> Any:
        values = {}
        name = ""
        given = data.get
        try:
            for name, exact, decode_one, required in fields:
                value = given(name, _ABSENT)
                if type(value) is exact:
                    values[name] = value
                elif value is not _ABSENT:
                    values[name] = decode_one(value)
                elif required:
                    break
            else:
                return kind(**values)
        except _Misfit as misfit:
            raise misfit.below(f".{name}") from None
        raise _Misfit(f"{name!r} is missing")

    return fill


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, Any, _Decoder, bool], ...]:
    """Name, type whose values are taken as they are, decoder of all others, and whether it must be there."""
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return tuple(
        (
            f.name,
            _exact(hints[f.name]),
            _decoder(hints[f.name]),
            f.default is missing and f.default_factory is missing,
        )
        for f in dataclasses.fields(cast("Any", kind))
    )


def _exact(hint: Any) -> Any:
    plain = getattr(hint, "__supertype__", hint)
    return plain if plain in (str, int, float, bool) else None


def _name(data: JSON) -> str:
    return "nothing" if data is None else type(data).__name__
