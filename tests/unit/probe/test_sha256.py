# SPDX-License-Identifier: GPL-3.0-only
"""Digests are the ones that everybody has."""

from __future__ import annotations

import builtins
import hashlib
from typing import Any

import pytest

from harness.probe import sha256

RAW = b"policy\0" * 1000


def test_digests_are_hashlibs() -> None:
    assert sha256.hex_of(RAW) == hashlib.sha256(RAW).hexdigest()


def test_a_python_without_its_own_has_hashlib(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        asked.append(name)
        if name in ("_sha2", "_sha256"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    found = sha256._own()
    assert found(RAW).hexdigest() == sha256.hex_of(RAW)
    assert asked[:3] == ["_sha2", "_sha256", "hashlib"]
